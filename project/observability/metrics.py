"""The metrics at /metrics. They are read from the database at each scrape, so that any web process can answer."""

import datetime
import itertools

from django.db.models import Count
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from notifications.models import Notice
from orders.models import Difference, Dispatch, Incident, Order
from orders.models.dispatch import OPEN_STATES
from orders.models.querysets import UNRESOLVED
from orders.queries.doubts import count_open, open_differences
from orders.restored_guard import read_restore_state
from project import __version__
from project.observability.readiness import heartbeat_age, oldest_due_age


def _dispatches() -> GaugeMetricFamily:
    """Open dispatches. A pair without any is 0, so that a graph has no gaps."""
    family = GaugeMetricFamily("desk_dispatches", "Dispatches not finished yet", labels=["channel", "state"])
    rows = Dispatch.objects.open().order_by().values_list("channel", "state")
    counts = {(channel, state): number for channel, state, number in rows.annotate(number=Count("pk"))}
    for pair in itertools.product(Dispatch.Channel.values, OPEN_STATES):
        family.add_metric(pair, counts.get(pair, 0))
    return family


def _orders() -> GaugeMetricFamily:
    family = GaugeMetricFamily("desk_orders", "Orders", labels=["state"])
    counts = dict(Order.objects.order_by().values_list("state").annotate(number=Count("pk")))
    for state in Order.State.values:
        family.add_metric([state], counts.get(state, 0))
    return family


def _heartbeat(now: datetime.datetime) -> GaugeMetricFamily:
    """The age of the heartbeat. There is no sample if no worker ever ran; an alert on absence notices that."""
    family = GaugeMetricFamily("desk_heartbeat_age_seconds", "Time since a worker's last sign of life")
    if (age := heartbeat_age(now)) is not None:
        family.add_metric([], age)
    return family


def _oldest_due(now: datetime.datetime) -> GaugeMetricFamily:
    name, text = "desk_oldest_due_seconds", "How long the oldest due dispatch has been waiting"
    return GaugeMetricFamily(name, text, value=oldest_due_age(now))


def _open_incidents() -> GaugeMetricFamily:
    family = GaugeMetricFamily("desk_open_incidents", "Incidents not over yet", labels=["state"])
    rows = Incident.objects.unresolved().order_by().values_list("state")
    counts = dict(rows.annotate(number=Count("pk")))
    for state in UNRESOLVED:
        family.add_metric([state], counts.get(state, 0))
    return family


def _differences(now: datetime.datetime) -> list[GaugeMetricFamily]:
    """Open differences with the big-data side by kind, the age of the oldest, and the orders served without billing."""
    family = GaugeMetricFamily("desk_open_differences", "Differences with the big-data side, open", labels=["kind"])
    counts = dict(open_differences().order_by().values_list("kind").annotate(number=Count("pk")))
    for kind in Difference.Kind.values:
        family.add_metric([kind], counts.get(kind, 0))
    found = count_open()
    age = (now - found.since).total_seconds() if found.since else 0.0
    oldest = ("desk_oldest_difference_seconds", "How long the oldest difference has been open")
    unbilled = ("desk_unbilled_orders", "Orders that have service and no record at the big-data side")
    return [family, GaugeMetricFamily(*oldest, value=age), GaugeMetricFamily(*unbilled, value=found.unbilled)]


def _build_info() -> GaugeMetricFamily:
    """Always 1. The label is the version."""
    family = GaugeMetricFamily("desk_build_info", "The version that answers, as a label", labels=["version"])
    family.add_metric([__version__], 1)
    return family


def _restored() -> GaugeMetricFamily:
    text = "1 while the database counts as restored: nothing is taken in or sent"
    return GaugeMetricFamily("desk_restored", text, value=int(read_restore_state().restored))


def _notices(now: datetime.datetime) -> GaugeMetricFamily:
    name, text = "desk_notices_given_up", "Notices to staff of the last 7 days that did not go out"
    return GaugeMetricFamily(name, text, value=Notice.objects.given_up(now).count())


class DeskCollector:
    """Collects our gauges at each scrape."""

    def collect(self):
        now = timezone.now()
        return [
            _build_info(),
            _restored(),
            _dispatches(),
            _oldest_due(now),
            _heartbeat(now),
            _orders(),
            _open_incidents(),
            *_differences(now),
            _notices(now),
        ]


def exposition() -> bytes:
    """The gauges as Prometheus text. Raises django.db.Error if the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeskCollector())
    return generate_latest(registry)
