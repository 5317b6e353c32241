"""The text of /metrics (contract 6).

It has the counters of all processes of this machine, and gauges read from the database.

The text of the gauges is cached in a file for 15 s. So the database is queried at most once in 15 s, even if many
processes are scraped. The same applies to an unavailable database.
"""

import contextlib
import datetime
import itertools
import logging
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from django.db.models import Count, QuerySet, Value
from django.utils import timezone
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    Metric,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from integrations.base.counters import FOLDER, OTHER, CountedCollector
from integrations.base.database_deadline import CHECK_SECONDS, Outage, database_deadline
from notifications.models import Mail
from orders.db.disk import locked, replace_file
from orders.incidents.order_warnings import failed_mails, open_differences
from orders.models import Difference, Dispatch, Incident, Order
from orders.models.dispatch import OPEN_STATES
from orders.rules.steps import OUTSIDE, Channel
from orders.texts.incident_texts import CAUSES
from project import __version__
from project.database.backup import last_backup
from project.observability.desk_snapshot import DeskSnapshot
from project.observability.expiring_soon import api_tokens, bboss_tokens, client_certificate

KEPT = FOLDER / "gauges.prom"
KEPT_FOR = 15.0  # seconds
PARTNERS_CODE = re.compile(r"(http|code)_[0-9]{3}")
outage = Outage(logging.getLogger(__name__), "/metrics")


def exposition() -> bytes:
    """Returns all metrics as Prometheus text. Without a database, returns those of the processes and `desk_database_up`
    0."""
    build = _family("desk_build_info", "The version that answers, as a label", ["version"], [([__version__], 1)])
    here = [PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR, CountedCollector(), Given([build])]
    return b"".join(map(generate_latest, here)) + _gauges()


def _gauges() -> bytes:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            FOLDER.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(FOLDER))  # processes that are scraped meanwhile wait, then read the file
            if 0 <= time.time() - KEPT.stat().st_mtime < KEPT_FOR:
                return KEPT.read_bytes()
        text = _read_gauges()
        with contextlib.suppress(OSError):
            replace_file(KEPT, text.decode())
        return text


def _read_gauges() -> bytes:
    up = GaugeMetricFamily("desk_database_up", "1 if the database answers", value=1)
    try:
        with database_deadline(CHECK_SECONDS):
            text = generate_latest(DeskCollector())
        outage.over()
    except Exception as error:  # any error: the counters are shown without the gauges
        outage.began(error)
        up, text = GaugeMetricFamily("desk_database_up", "1 if the database answers", value=0), b""
    return text + generate_latest(Given([up]))


class Given(Collector):
    """Collects the given metric families."""

    def __init__(self, families: Iterable[Metric]):
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def _family(name: str, text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    for given, value in values:
        family.add_metric(list(given), value)
    return family


def _counted(name: str, text: str, rows: QuerySet, **labels: Iterable[str]) -> Metric:
    """Returns the number of rows by the values of these columns. Values without rows have the number 0, so that graphs
    have no gaps."""
    counts = rows.order_by().values_list(*labels).annotate(number=Count("pk"))
    found = dict.fromkeys(itertools.product(*labels.values()), 0)
    for *values, number in counts:
        found[tuple(values)] = number
    return _family(name, text, labels, found.items())


class DeskCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        facts = DeskSnapshot(now)
        text = "1 while the database counts as restored: nothing is taken in or sent"
        yield GaugeMetricFamily("desk_restored", text, value=int(facts.restored))
        yield _counted("desk_orders", "Orders", Order.objects.all(), state=Order.State.values)
        yield _dispatches()
        yield _incidents()
        text = "Differences with the big-data side, open"
        yield _counted("desk_open_differences", text, open_differences(), kind=Difference.Kind.values)
        text = "How long the oldest difference has been open"
        yield GaugeMetricFamily("desk_oldest_difference_seconds", text, value=facts.difference_age)
        text = "Orders that have service and no record at the big-data side"
        yield GaugeMetricFamily("desk_unbilled_orders", text, value=facts.differences.unbilled)
        yield GaugeMetricFamily("desk_stuck_orders", "Orders that need somebody", value=facts.stuck)
        text = "How long the oldest due dispatch of a partner has been waiting"
        ages = {(partner,): age for partner, age in facts.oldest_due.items()}
        yield _family("desk_oldest_due_seconds", text, ["partner"], ages.items())
        text = "How long the longest retried step of a partner has been tried without success"
        ages = {(partner,): age for partner, age in facts.oldest_retrying.items()}
        yield _family("desk_oldest_retrying_seconds", text, ["partner"], ages.items())
        text, down = "1 while a partner's calls wait for its breaker", {row.partner for row in facts.breakers}
        yield _family("desk_breaker_open", text, ["partner"], (([name], int(name in down)) for name in OUTSIDE))
        text = "1 while people hold a partner's calls back"
        held = {row.pause.partner for row in facts.pauses}
        yield _family("desk_paused", text, ["partner"], (([name], int(name in held)) for name in OUTSIDE))
        # There is no sample if no worker ever ran, or nothing was ever backed up. An alert on absence notices that.
        text, age = "Time since a worker's last sign of life", facts.heartbeat_age
        yield _family("desk_heartbeat_age_seconds", text, [], [([], age)] if age is not None else [])
        yield _backup_age(now.timestamp())
        yield _expiries(now.timestamp())
        given_up = facts.notices_given_up
        text = "Notices to staff of the last 7 days that did not go out"
        yield GaugeMetricFamily("desk_notices_given_up", text, value=given_up)
        text = "Mails that did not go out: about orders, and notices to staff of the last 7 days"
        yield GaugeMetricFamily("desk_mails_given_up", text, value=given_up + failed_mails().count())


def _dispatches() -> Metric:
    mails = Mail.objects.open().order_by().annotate(to=Value(Channel.MAIL)).values_list("to", "state")
    rows = Dispatch.objects.open().order_by().values_list("channel", "state")
    found = dict.fromkeys(itertools.product(Channel.values, OPEN_STATES), 0)
    for channel, state, number in [*rows.annotate(number=Count("pk")), *mails.annotate(number=Count("pk"))]:
        found[channel, state] += number
    return _family("desk_dispatches", "Dispatches and mails not finished yet", ["channel", "state"], found.items())


def _incidents() -> Metric:
    codes = Incident.objects.unresolved().order_by().values_list("code", flat=True)
    found = Counter(code if code in CAUSES or PARTNERS_CODE.fullmatch(code) else OTHER for code in codes)
    values = (([code], found[code]) for code in {*CAUSES, *found})
    return _family("desk_open_incidents", "Incidents not over yet", ["code"], values)


def _backup_age(now: float) -> Metric:
    last = last_backup()
    values = [([], now - datetime.datetime.fromisoformat(last["made_at"]).timestamp())] if last else []
    return _family("desk_last_backup_age_seconds", "Time since the last backup that the database knows of", [], values)


def _expiries(now: float) -> Metric:
    """Returns the remaining seconds of our tokens for BBOSS, of the certificate, and of tokens of the read API. Revoked
    tokens are left out."""
    found = (*bboss_tokens(), *client_certificate(), *api_tokens())
    text = "Time until a token or certificate ends; below 0 it has ended"
    values = (((one.what, one.name), one.ends.timestamp() - now) for one in found)
    return _family("desk_expires_seconds", text, ["what", "name"], values)
