"""Filters of the order list. Each filter is part of the URL and is supported by an index."""

import datetime
import functools

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications.models import Mail
from orders.db.expressions import Among
from orders.db.unstorable_values import is_id
from orders.incidents.awaiting_approval import is_returned
from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.incidents.order_warnings import differs, failed_mails, is_unbilled, still_matters
from orders.incidents.stuck import is_stuck
from orders.limits.late_orders import is_late
from orders.lists.filter_kinds import (
    AHEAD,
    IncorrectLookupParameters,
    WordFilter,
    day_filter,
    today,
    word_filter,
)
from orders.lists.overtime_marks import overtime_filter
from orders.models import AffectedOrder, Dispatch, Order
from orders.pauses.paused_steps import waits_for_paused
from orders.search.list_search import CustomerFilter
from orders.trials.trial_state_reads import is_ending

STOPPED = [Dispatch.State.FAILED, Dispatch.State.RETRYING]
HAS_STOPPED = Among("state", *STOPPED)  # the condition of the index `dispatch_stuck` (orders/db/indexes.py)
# States of activations
NOT_LIVE = [
    Order.State.IN_PROGRESS,
    Order.State.HELD,
    Order.State.AWAITING_APPROVAL,
    Order.State.SCHEDULED,
    Order.State.FAILED,
]
IS_NOT_LIVE = Q(Among("state", *NOT_LIVE), kind=Order.Kind.ACTIVATION)  # the condition of the index `order_not_live`
STARTING = [
    Order.State.IN_PROGRESS,
    Order.State.HELD,
    Order.State.AWAITING_APPROVAL,
    Order.State.SCHEDULED,
    Order.State.ACTIVE,
]


class StartFilter(day_filter("biz_start", _("start day"), parameter="start", choices=AHEAD)):
    """Filters by a range of start days, or for activations that are overdue or due to start today (START_WORDS)."""

    def lookups(self, request, model_admin):
        rest = [pair for pair in super().lookups(request, model_admin) if pair[0] not in START_WORDS]
        return [*((word, label) for word, (label, _condition) in START_WORDS.items()), *rest]

    def queryset(self, request, queryset):
        if self.value() in START_WORDS:
            return queryset.filter(START_WORDS[self.value()][1]())
        return super().queryset(request, queryset)


def overdue() -> Q:
    """Matches activations that are not live after their start day. Activations that wait for a paused partner do not
    match."""
    return IS_NOT_LIVE & Q(biz_start__lt=today()) & ~waits_for_paused(timezone.now())


def is_past(order: Order) -> bool:
    """Returns True if the order is an activation that is not live and its start day has passed. Ignores pauses."""
    begins = order.biz_start if order.kind == Order.Kind.ACTIVATION and order.state in NOT_LIVE else None
    return begins is not None and begins < today()


def starts_today() -> Q:
    """Matches activations that are due to start today or started today. Failed, rejected or withdrawn activations do
    not match."""
    return Q(kind=Order.Kind.ACTIVATION, state__in=STARTING, biz_start=today())


START_WORDS = {"overdue": (_("Overdue"), overdue), "starting": (_("Due to start today"), starts_today)}


class EndsFilter(day_filter("biz_end", _("last day of a trial"), parameter="ends", choices=AHEAD)):
    """Filters running trials by their last day, which a change may have moved."""

    def queryset(self, request, queryset):
        if self.value() is None:
            return queryset
        first, last = self.days()
        return queryset.filter(is_ending(**{name: day for name, day in (("gte", first), ("lte", last)) if day}))


NeedsFilter = word_filter(
    "needs",
    _("needs"),
    {
        "somebody": (_("Somebody"), is_stuck),
        "unbilled": (_("A billing record: served, not billed"), is_unbilled),
        "books": (_("The books put right"), differs),
        "returned": (_("An answer to BPM's return"), is_returned),
        "start": (_("Its start day"), IS_NOT_LIVE),
    },
)


def is_in_state_for(days: int) -> Q:
    return Q(state_since__lte=timezone.now() - datetime.timedelta(days=days))


OvertimeFilter = overtime_filter(is_late)


class StuckFilter(WordFilter):
    title, parameter_name = _("stuck at"), "stuck"
    conditions = {channel: (label, channel) for channel, label in Dispatch.Channel.choices}

    def queryset(self, request, queryset):
        channel = self.value()
        if channel not in self.conditions:
            return super().queryset(request, queryset)
        if channel == Dispatch.Channel.MAIL:
            tried = Mail.objects.beside_steps().open().filter(state=Mail.State.RETRYING)
            tried = tried.exclude(order__state=Order.State.WITHDRAWN)
            return queryset.filter(pk__in=_either(failed_mails(), tried))
        steps = stopped_steps(channel=channel)
        undone = steps.filter(repeat=False, order__state=Order.State.FAILED)  # the column shows these too
        return queryset.filter(pk__in=_either(still_matters(steps), undone))


def _either(one: QuerySet, other: QuerySet) -> QuerySet:
    """Returns the orders' ids in one of the querysets. For an OR of two subqueries PostgreSQL would read all orders."""
    return one.order_by().values("order_id").union(other.order_by().values("order_id"))


InStateFilter = word_filter(
    "in_state",
    _("in this state for"),
    {
        f"{days}d": (label, functools.partial(is_in_state_for, days))
        for days, label in {
            1: _("A day or more"),
            3: _("3 days or more"),
            7: _("7 days or more"),
            30: _("30 days or more"),
        }.items()
    },
)


class StoppedFilter(day_filter("since", _("stopped by an incident"), parameter="stopped")):
    """Filters orders that an incident stopped on these days, including those that are no longer stopped."""

    def queryset(self, request, queryset):
        if self.value() is None:
            return queryset
        stopped = AffectedOrder.objects.filter(**self.bounds(AffectedOrder)).exclude(incident__code=PARTNER_PAUSED)
        return queryset.filter(pk__in=stopped.order_by().values("order_id"))


class OrderCustomerFilter(CustomerFilter):
    path = "enterprise_id"


class IncidentFilter(SimpleListFilter):
    """Filters orders that an incident stops. Only a link on the incident's page sets this filter."""

    title, parameter_name = _("incident"), "incident"

    def lookups(self, request, model_admin):
        value = self.value()
        return [(value, f"#{value[:20]}")] if value else []

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        if not is_id(self.value()):
            raise IncorrectLookupParameters(self.value())
        stopped = AffectedOrder.objects.unresolved().filter(incident=self.value())
        return queryset.filter(pk__in=stopped.values("order_id"))


def stopped_steps(**more) -> QuerySet[Dispatch]:
    return Dispatch.objects.current().filter(HAS_STOPPED, **more).order_by()
