"""Compares our clocks with the database's and BBOSS's. If our clock is wrong, BBOSS's calls get 20210 (contract 2.3).

The watchdog and the sweep compare the worker machine's clock with the database's. `status` and /readyz compare the
clock of the machine on which they run. The comparison with BBOSS uses the times of receipt of its calls, by the
database's clock (`integrations.base.database_clock`).
"""

import datetime
import json
import socket
from statistics import median

from django.conf import settings
from django.db import connection
from django.db.models.functions import Length

from integrations.base.database_clock import measure
from integrations.bboss.envelope_checks import parse_time
from integrations.bboss.message_decoding import ours
from integrations.bboss.reply_codes import Refused
from orders.incidents.desk_incidents import DESK, keep_desk_incident
from orders.models import InboundMessage, Incident

DATABASE_CLOCK, BBOSS_CLOCK = "database_clock", "bboss_clock"
RECENT = datetime.timedelta(minutes=10)
MIN_MESSAGES, MAX_MESSAGES = 5, 20  # the median needs at least 5 of BBOSS's messages, and uses at most 20
LONGEST = 16_384  # characters; longer messages are not parsed for their time


def clock_differences(*, now: datetime.datetime) -> dict[str, float | None]:
    """Returns how many seconds our clock is ahead of the database's and of BBOSS's, by the code of the incident. The
    value is None if it is unknown or its check is switched off."""
    return {DATABASE_CLOCK: _ahead_of_database(), BBOSS_CLOCK: _ahead_of_bboss(now)}


def wrong_clocks(differences: dict[str, float | None]) -> dict[str, dict]:
    """Returns the incident's parameters for each clock that differs too much, by the code of the incident."""
    most = {DATABASE_CLOCK: settings.CLOCK_SKEW_SECONDS, BBOSS_CLOCK: settings.BBOSS_TIMESTAMP_SKEW_SECONDS / 2}
    return {
        code: {"machine": socket.gethostname()[:64], "seconds": round(seconds)}
        for code, seconds in differences.items()
        if seconds is not None and abs(seconds) > most[code] > 0
    }


def watch_clocks(*, now: datetime.datetime) -> None:
    """Opens or closes the incidents about both clocks. The sweep calls it each minute, on any machine with a worker."""
    differences = clock_differences(now=now)
    wrong = wrong_clocks(differences)
    for code in differences:
        if code in wrong or (differences[code] is not None and not _is_of_another_machine(code)):
            keep_desk_incident(code, wrong.get(code), now=now)


def watch_database_clock(*, now: datetime.datetime) -> None:
    """Opens the incident if this machine's clock differs from the database's. The watchdog calls this function at each
    ping, because the sweep may run on another machine."""
    if wrong := wrong_clocks({DATABASE_CLOCK: _ahead_of_database()}):
        keep_desk_incident(DATABASE_CLOCK, wrong[DATABASE_CLOCK], now=now)


def _is_of_another_machine(code: str) -> bool:
    """Returns True if an open incident is about another machine's clock. Only a sweep on that machine may close the
    incident."""
    if code == BBOSS_CLOCK:
        return False  # the compared times are recorded by all web machines, so any sweep may close it
    details = Incident.objects.unresolved().filter(partner=DESK, code=code).values_list("detail_params", flat=True)
    return any(params["machine"] != socket.gethostname()[:64] for params in details)


def _ahead_of_database() -> float | None:
    if connection.vendor != "postgresql" or not settings.CLOCK_SKEW_SECONDS:
        return None
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return measure(connection.connection)


def _ahead_of_bboss(now: datetime.datetime) -> float | None:
    """Returns how many seconds our clock is ahead of the times in BBOSS's newest signed messages (the median).

    Refused messages are included. Returns None if there are too few messages.
    """
    rows = InboundMessage.objects.annotate(size=Length("body"))
    rows = rows.filter(signed=True, received_at__gt=now - RECENT, size__lt=LONGEST)
    found = [
        (received - sent).total_seconds()
        for received, body in rows.order_by("-pk").values_list("received_at", "body")[:MAX_MESSAGES]
        if (sent := _sent_at(body))
    ]
    return median(found) if len(found) >= MIN_MESSAGES else None


def _sent_at(body: str) -> datetime.datetime | None:
    try:
        return parse_time(ours(json.loads(body), settings.PARTNERS.bboss)["timeStamp"])
    except (ValueError, KeyError, TypeError, AttributeError, Refused):
        return None
