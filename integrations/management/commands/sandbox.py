"""`sandbox`: runs the simulated partners, BPM and big data, over real HTTP (contract section 5)."""

import signal
import sqlite3
import ssl
import threading

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.partners.profile import Profile, ProfileError, load_profile
from integrations.sandbox.dialect import address_of
from integrations.sandbox.partners import Partners
from integrations.sandbox.server import SandboxServer


class Command(BaseCommand):
    help = "Runs the partners' stand-in: BPM at /bpm and big data at /bigdata, with its own store and fault switches."
    requires_system_checks = []  # the sandbox needs neither our database nor our secrets

    def add_arguments(self, parser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
        parser.add_argument("--port", type=int, default=8090, help="0 takes a free one (default: 8090)")
        parser.add_argument("--state", metavar="FILE", help="keep what it holds in this SQLite file, over restarts")
        parser.add_argument("--tls", metavar="FILE", help="speak https: a PEM file with certificate and key")
        parser.add_argument("--client-ca", metavar="FILE", help="with --tls: callers need a certificate of this CA")

        parser.add_argument("--profile", metavar="FILE", help="speak as this profile of partners says (contract 7.1)")
        parser.add_argument("--callback", metavar="URL", help="where approvals go; this machine's desk unless given")

    def handle(self, *args, host: str, port: int, state: str | None, callback: str | None, **options) -> None:
        if settings.BBOSS_ENV_FLAG == "1":
            raise CommandError("BBOSS_ENV_FLAG is 1: nobody stands in for the partners of production")
        tls = _tls(options["tls"], options["client_ca"])
        partners = _open(state, callback, options["profile"])
        server = _listen(host, port, partners, tls)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write(f"sandbox listens on {server.url}")
        self.stdout.flush()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        stop.wait()
        server.shutdown()
        server.server_close()
        partners.close()


def _open(state: str | None, callback: str | None, profile: str | None) -> Partners:
    try:
        how = load_profile(profile) if profile else Profile()
        here = address_of(settings.SITE_URL or "http://127.0.0.1:8000", how.bpm.callback)
        return Partners(state, callback or here, how)
    except ProfileError as error:
        raise CommandError(str(error)) from error
    except sqlite3.Error as error:
        raise CommandError(f"cannot use the state file {state}: {error}") from error


def _tls(certificate: str | None, client_ca: str | None) -> ssl.SSLContext | None:
    if not certificate:
        if client_ca:
            raise CommandError("--client-ca needs --tls")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, password=lambda: "")
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=client_ca)
    except OSError as error:  # including ssl.SSLError
        raise CommandError(f"cannot use the certificates of --tls and --client-ca: {error}") from error
    return context


def _listen(host: str, port: int, partners: Partners, tls: ssl.SSLContext | None) -> SandboxServer:
    try:
        return SandboxServer(host, port, partners, tls)
    except (OSError, OverflowError) as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error}") from error
