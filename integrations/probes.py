"""Asks each thing that the desk leans on, one after the other: `status --probe` (contract section 5)."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from integrations.bigdata.client import query_product_infos
from integrations.clocks import clock_differences, wrong_clocks
from integrations.outbound.deadline import TLSSocket, connected, deadline
from integrations.outbound.http import PartnerError, reach
from notifications.sending import MailError, greet

NOBODYS = "DESK-PROBE"  # a number that no order has: the answer is an empty list


class Probe(NamedTuple):
    """What was asked, how many seconds that took, and what was wrong; empty if nothing was."""

    what: str
    seconds: float
    trouble: str


def probe_all() -> list[Probe]:
    """Asks all. Nothing is stored, and no partner acts: the big-data side is asked for a number that nobody has, BPM
    only answers an HTTP request, the mail server is greeted."""
    return [_timed(what, ask) for what, ask in PROBES.items()]


def _timed(what: str, ask: Callable[[], str | None]) -> Probe:
    began, trouble = time.monotonic(), None
    try:
        trouble = ask()
    except (PartnerError, MailError, Error, OSError) as error:
        trouble = str(error) or type(error).__name__
    return Probe(what, round(time.monotonic() - began, 3), " ".join((trouble or "").split()))


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _look_up() -> None:
    query_product_infos(NOBODYS, key=str(uuid.uuid4()), request_id=uuid.uuid4().hex)


def _reach_bpm() -> None:
    reach(settings.BPM_BASE_URL, timeout=settings.PARTNER_TIMEOUT_SECONDS)


def _greet_mail_server() -> None:
    with deadline(settings.PARTNER_TIMEOUT_SECONDS):
        greet(connect=connected, tls=TLSSocket)


def _write_files() -> str:
    """Writes a nameless file into each folder that files of ours go into."""
    troubles = []
    for name in ("STATE_DIR", "ATTACHMENT_DIR", "EXPORT_DIR"):
        folder = Path(getattr(settings, name))
        try:
            if folder.exists():  # else it is made when the first file comes
                with TemporaryFile(dir=folder) as file:
                    file.write(b"probe")
        except OSError as error:
            troubles.append(f"{name}: {error.strerror}")
    return "; ".join(troubles)


def _compare_clocks() -> str:
    wrong = wrong_clocks(clock_differences(now=timezone.now()))
    return "; ".join(f"{code}: {params['seconds']} s ahead" for code, params in wrong.items())


PROBES: dict[str, Callable[[], str | None]] = {
    "database": _ask_database,
    "bigdata": _look_up,
    "bpm": _reach_bpm,
    "mail": _greet_mail_server,
    "disk": _write_files,
    "clock": _compare_clocks,
}
