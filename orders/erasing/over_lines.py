"""Lines whose personal data may be erased: whole lines whose every order is over (contract 3.14)."""

import datetime

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from notifications.models import Mail
from orders.incidents.stuck import needs_somebody
from orders.models import AskedAct, BillingRecord, Dispatch, Erasure, Order
from orders.models.dispatch import OPEN_STATES
from orders.models.proxies import open_conflicts
from orders.texts.errors import NotAllowedError

OVER = [
    Order.State.WITHDRAWN,
    Order.State.REJECTED,
    Order.State.ENDED,
    Order.State.APPLIED,
    Order.State.CONVERTED,
]
IS_OVER = Q(state__in=OVER) | Q(state=Order.State.FAILED, undo_since__isnull=False)
SINCE = Coalesce("state_since", "received_at")
ERASED_SINCE = Exists(Erasure.objects.filter(order=OuterRef("pk"), at__gte=OuterRef("since")))
ACT = "erase"
LIVE_FIRST = Case(When(state=Order.State.ACTIVE, then=0), default=1)
UNDER_WAY = [*OPEN_STATES, Dispatch.State.WAITING, Dispatch.State.GIVEN_UP]


def line_of(order: Order) -> QuerySet[Order]:
    """Returns the order's trial and all orders that refer to it, or the order alone."""
    root = order.number if order.kind == Order.Kind.TRIAL else order.trial_number
    whole = Q(number=root, kind=Order.Kind.TRIAL) | Q(trial_number=root) if root else Q(pk=order.pk)
    return Order.objects.filter(whole).order_by("pk")


def why_not_erase(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the reason why the order's line can't be erased, with the order that stands in the way, or None."""
    line = line_of(order).defer("content")
    if row := line.exclude(IS_OVER).order_by(LIVE_FIRST, "pk").first():
        return NotAllowedError("erase_not_over", number=row.number, state=row.state)
    if row := line.filter(_is_unsettled(now)).first():
        return NotAllowedError("erase_unsettled", number=row.number)
    if not line.annotate(since=SINCE).filter(~ERASED_SINCE).exists():
        at = Erasure.objects.filter(order=order).order_by("-pk").values_list("at", flat=True)[0]
        return NotAllowedError("erased", number=order.number, day=timezone.localdate(at).isoformat())
    return None


def is_over(order: Order) -> bool:
    return order.state in OVER or order.state == Order.State.FAILED and order.undo_since is not None


def _is_unsettled(now: datetime.datetime) -> Q:
    """Returns the condition for orders that are over, and with which something is still to happen."""
    mine = OuterRef("pk")
    calls = Dispatch.objects.current().filter(order=mine, state__in=UNDER_WAY, undo=True)
    calls |= Dispatch.objects.current().open().filter(order=mine)
    mails = Mail.objects.filter(order=mine)
    waits = [
        BillingRecord.objects.not_over(now).filter(order=mine),
        calls,
        mails.open() | mails.given_up(),
        AskedAct.objects.filter(order=mine, state=AskedAct.State.OPEN).exclude(act=ACT),
        open_conflicts().filter(order_number=OuterRef("number")),
    ]
    unsettled = Q(undo_asked_at__isnull=False) | ~Q(state=Order.State.FAILED) & Q(pk__in=needs_somebody().values("pk"))
    for rows in waits:
        unsettled |= Q(Exists(rows))
    return unsettled


def overdue_lines(before: datetime.datetime) -> QuerySet[Order]:
    """Returns an order of each line whose orders have all been over since `before`, and that was not erased since: the
    trial, or the order without a trial."""
    others = Order.objects.filter(trial_number=OuterRef("number")).annotate(since=SINCE)
    roots = Order.objects.filter(IS_OVER, trial=None).annotate(since=SINCE).filter(since__lt=before)
    late = others.exclude(IS_OVER, since__lt=before)
    return roots.filter(~ERASED_SINCE, ~Exists(late)).order_by("pk")
