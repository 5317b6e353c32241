"""Test calls to each service that the desk needs.

`status --probe` (contract section 5) makes the calls one after another. A page makes them in parallel.
"""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline
from integrations.bboss.clocks import clock_differences, wrong_clocks
from integrations.bigdata.client import query_product_infos
from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.http_client import check_reachable
from integrations.outbound.total_timeout import TLSSocket, connected, deadline
from integrations.partners.calls import call_of
from notifications.sending import MailError, greet
from orders.books.books import has_look_up

FOLDER, FAILED, TIMEOUT = "folder", "failed", "timeout"
UNKNOWN_NUMBER = "DESK-PROBE"  # a number that no order has, so that the response is an empty list


class Probe(NamedTuple):
    """The result of a test call: its target, its duration in seconds, and its error. The error is given as a text for
    engineers and as a code. After a success both are empty."""

    what: str
    seconds: float
    trouble: str
    code: str


def probe_all() -> list[Probe]:
    """Makes all test calls and returns their results. The calls store nothing and change nothing at partners.

    The big-data side is queried for a number that no order has. BPM gets a HEAD request. The mail server gets a
    connection.
    """
    return [_timed(what, ask) for what, ask in PROBES.items()]


def probe_together(*, within: float) -> list[Probe]:
    """Makes all test calls and returns their results after at most `within` seconds. A call without a response by then
    gets the code TIMEOUT.

    Calls that need no database run in threads. A thread that still waits then ends by its own time-out.
    """
    end = time.monotonic() + within
    threads = ThreadPoolExecutor(len(IN_THREADS), thread_name_prefix="probe")
    asked = {what: threads.submit(_timed, what, PROBES[what]) for what in IN_THREADS}
    with database_deadline(min(CHECK_SECONDS, within)):
        found = {what: _timed(what, ask) for what, ask in PROBES.items() if what not in asked}
    wait(asked.values(), timeout=max(end - time.monotonic(), 0))
    threads.shutdown(wait=False)
    late = f"no answer within {within:g} s"
    found |= {what: one.result() if one.done() else Probe(what, within, late, TIMEOUT) for what, one in asked.items()}
    return [found[what] for what in PROBES]


def _timed(what: str, ask: Callable[[], tuple[str, str] | None]) -> Probe:
    began, trouble, code = time.monotonic(), "", ""
    try:
        code, trouble = ask() or ("", "")
    except (PartnerError, MailError) as error:
        code, trouble = error.code, str(error)
    except (Error, OSError) as error:
        code, trouble = FAILED, str(error) or type(error).__name__
    return Probe(what, round(time.monotonic() - began, 3), " ".join(trouble.split()), code)


def _query_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _look_up() -> None:
    if not has_look_up():
        check_reachable(call_of("bigdata.post").url, timeout=settings.PARTNER_TIMEOUT_SECONDS)
        return
    query_product_infos(UNKNOWN_NUMBER, key=str(uuid.uuid4()), request_id=uuid.uuid4().hex)


def _reach_bpm() -> None:
    check_reachable(settings.BPM_BASE_URL, timeout=settings.PARTNER_TIMEOUT_SECONDS)


def _greet_mail_server() -> None:
    with deadline(settings.PARTNER_TIMEOUT_SECONDS):
        greet(connect=connected, tls=TLSSocket)


def _write_files() -> tuple[str, str] | None:
    """Writes a temporary file into each folder to which the desk writes. If there are errors, returns (code, text),
    otherwise None."""
    troubles = []
    for name in ("STATE_DIR", "ATTACHMENT_DIR", "EXPORT_DIR"):
        folder = Path(getattr(settings, name))
        try:
            if folder.exists():  # otherwise the folder is created together with its first file
                with TemporaryFile(dir=folder) as file:
                    file.write(b"probe")
        except OSError as error:
            troubles.append(f"{name}: {error.strerror}")
    return (FOLDER, "; ".join(troubles)) if troubles else None


def _compare_clocks() -> tuple[str, str] | None:
    wrong = wrong_clocks(clock_differences(now=timezone.now()))
    details = "; ".join(f"{code}: {params['seconds']} s ahead" for code, params in wrong.items())
    return (next(iter(wrong)), details) if wrong else None


PROBES: dict[str, Callable[[], tuple[str, str] | None]] = {
    "database": _query_database,
    "bigdata": _look_up,
    "bpm": _reach_bpm,
    "mail": _greet_mail_server,
    "disk": _write_files,
    "clock": _compare_clocks,
}
IN_THREADS = ("bigdata", "bpm", "mail", "disk")
