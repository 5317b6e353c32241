"""The metrics at /metrics. They are read from the database at each scrape, so that any web process can answer."""

import itertools
from collections.abc import Iterable

from django.db.models import Count, QuerySet
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from orders.models import Difference, Dispatch, Incident, Order
from orders.models.dispatch import OPEN_STATES
from orders.models.querysets import UNRESOLVED
from orders.queries.doubts import open_differences
from orders.restored_guard import read_restore_state
from project import __version__
from project.observability.facts import Facts


def _counted(name: str, text: str, rows: QuerySet, **labels: Iterable[str]) -> GaugeMetricFamily:
    """The number of rows by these columns' values. Values without any are 0, so that a graph has no gaps."""
    counts = rows.order_by().values_list(*labels).annotate(number=Count("pk"))
    found = {tuple(values): number for *values, number in counts}
    family = GaugeMetricFamily(name, text, labels=list(labels))
    for values in itertools.product(*labels.values()):
        family.add_metric(values, found.get(values, 0))
    return family


class DeskCollector:
    """Collects our gauges at each scrape."""

    def collect(self):
        facts = Facts(timezone.now())
        build = GaugeMetricFamily("desk_build_info", "The version that answers, as a label", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        text = "1 while the database counts as restored: nothing is taken in or sent"
        yield GaugeMetricFamily("desk_restored", text, value=int(read_restore_state().restored))
        text, states = "Dispatches not finished yet", OPEN_STATES
        yield _counted("desk_dispatches", text, Dispatch.objects.open(), channel=Dispatch.Channel.values, state=states)
        text = "How long the oldest due dispatch has been waiting"
        yield GaugeMetricFamily("desk_oldest_due_seconds", text, value=max(facts.oldest_due.values()))
        text = "How long the longest retried step of a partner has been tried without success"
        retrying = GaugeMetricFamily("desk_oldest_retrying_seconds", text, labels=["partner"])
        for partner, age in facts.oldest_retrying.items():
            retrying.add_metric([partner], age)
        yield retrying
        # No sample if no worker ever ran; an alert on absence notices that.
        heartbeat = GaugeMetricFamily("desk_heartbeat_age_seconds", "Time since a worker's last sign of life")
        if facts.heartbeat_age is not None:
            heartbeat.add_metric([], facts.heartbeat_age)
        yield heartbeat
        yield _counted("desk_orders", "Orders", Order.objects.all(), state=Order.State.values)
        text = "Incidents not over yet"
        yield _counted("desk_open_incidents", text, Incident.objects.unresolved(), state=UNRESOLVED)
        text = "Differences with the big-data side, open"
        yield _counted("desk_open_differences", text, open_differences(), kind=Difference.Kind.values)
        text = "How long the oldest difference has been open"
        yield GaugeMetricFamily("desk_oldest_difference_seconds", text, value=facts.difference_age)
        text = "Orders that have service and no record at the big-data side"
        yield GaugeMetricFamily("desk_unbilled_orders", text, value=facts.differences.unbilled)
        text = "Notices to staff of the last 7 days that did not go out"
        yield GaugeMetricFamily("desk_notices_given_up", text, value=facts.notices_given_up)


def exposition() -> bytes:
    """The gauges as Prometheus text. Raises django.db.Error if the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeskCollector())
    return generate_latest(registry)
