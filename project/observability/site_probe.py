"""Probes the desk at SITE_URL, as people and BBOSS reach it. Checks its responses, and the expiry of nginx's
certificate."""

import datetime
import http.client
import ssl
from urllib.parse import urlsplit

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from orders.incidents.desk_incidents import keep_own_incident

DESK_DOWN, SITE_CERTIFICATE = "desk_down", "site_certificate"
ASKED = ("/livez", "/livez?for=intake")
TIMES = 2  # requests per path, since one of two machines at the address may be dead
TIMEOUT = 3.0  # seconds
SOON = datetime.timedelta(days=14)


def watch_site(*, now: datetime.datetime) -> None:
    """Probes SITE_URL, and opens or ends the incidents about it. Without SITE_URL, does nothing."""
    silent, ends = probe_site() if settings.SITE_URL else (None, None)
    keep_own_incident(DESK_DOWN, silent, now=now)
    if ends or not silent:
        keep_own_incident(SITE_CERTIFICATE, _about(ends, now), now=now)


def probe_site() -> tuple[dict | None, datetime.datetime | None]:
    """Returns the failure of SITE_URL, or None, together with the certificate's expiry. A failure has `address`,
    `number` of `total` requests, and the last `error`."""
    parts = urlsplit(settings.SITE_URL)
    errors, ends = [], None
    for path in ASKED * TIMES:
        try:
            ends = _ask(parts.scheme, parts.hostname or "", parts.port, path) or ends
        except (OSError, http.client.HTTPException, ValueError) as error:
            errors.append(f"{path}: {error or type(error).__name__}"[:200])
    if not errors:
        return None, ends
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return {"address": address, "number": len(errors), "total": len(ASKED) * TIMES, "error": errors[-1]}, ends


def _ask(scheme: str, host: str, port: int | None, path: str) -> datetime.datetime | None:
    """Makes one request, on a new connection. Returns the expiry of the certificate, if there is a certificate. Any
    certificate is accepted, because its CA need not be ours. Raises OSError (also for HTTP 5xx) or HTTPException."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        connection.connect()
        ends, sock = None, connection.sock
        if isinstance(sock, ssl.SSLSocket) and (shown := sock.getpeercert(binary_form=True)):
            ends = x509.load_der_x509_certificate(shown).not_valid_after_utc
        connection.request("GET", path)
        status = connection.getresponse().status
        if status >= 500:
            raise OSError(f"HTTP {status}")
        return ends
    finally:
        connection.close()


def _about(ends: datetime.datetime | None, now: datetime.datetime) -> dict | None:
    if ends is None or ends > now + SOON:
        return None
    host = urlsplit(settings.SITE_URL).hostname
    return {"host": host, "ends": f"{timezone.localtime(ends):%Y-%m-%d %H:%M}"}
