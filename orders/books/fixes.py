"""The rules of `reconcile --fix`, and the steps that carry out a fix (contract 3.9, What --fix may do).

A fix is a normal dispatch. A fix precedes the order's other steps and is first in its trial's line, so that no step
overtakes the fix. A fix is created under the order's lock, and only while no billing step is under way.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import DateTimeField, Exists, OuterRef, Q, QuerySet

from orders.books.books import CREATE, DELETE, SETTLE, Discrepancy
from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.models import BillingRecord, Difference, Dispatch, Order, Reconciliation, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.outbox.enqueue import build_step, enqueue
from orders.outbox.release_steps import is_blocked, is_blocked_by_others
from orders.pauses.release_restored import is_from_before_restore
from orders.rules.host_names import domain_key
from orders.rules.steps import FIXES, Step

FIRST = 1  # the first place in a trial's line
SOON = datetime.timedelta(minutes=5)
BILLED = {Order.State.IN_PROGRESS, Order.State.AWAITING_APPROVAL, Order.State.SCHEDULED, Order.State.ACTIVE}
Left = dict[str, str]


@dataclass(frozen=True)
class Obstacle:
    """The reason why the records of an order or its trial can't be corrected now.

    `moving`: the records can't be compared either.
    """

    code: str
    step: str = ""
    moving: bool = False

    @property
    def left(self) -> Left:
        return {"code": self.code} | ({"step": self.step} if self.step else {})


UNDOING = Obstacle("undoing")


def obstacles(orders: Iterable[Order], *, now: datetime.datetime) -> dict[int, Obstacle]:
    """Returns the orders that have an obstacle, with that obstacle. Makes three queries for any number of orders."""
    orders = list(orders)
    ids = [order.pk for order in orders]
    rows = OF_ORDERS(ids=ids, until=now + SOON) + IN_LINES_OF_OTHERS(ids=ids, until=now + SOON)
    stuck = _stuck_undoings({row.order_id for row in rows if row.state == Dispatch.State.WAITING and row.undo})
    found = {order.pk: UNDOING for order in orders if order.state == Order.State.COMPENSATING}
    for row in rows:
        failed = (
            row.step
            if row.state == Dispatch.State.FAILED
            else row.state == Dispatch.State.WAITING and stuck.get(row.order_id)
        )
        one = Obstacle("step_failed", failed) if failed else Obstacle("step_open", row.step, moving=True)
        for pk in {row.order_id, row.lane} & set(ids):
            known = found.get(pk, UNDOING)
            if known == UNDOING or one.moving and not known.moving:
                found[pk] = one
    return found


def _open_steps() -> QuerySet[Dispatch]:
    """Returns billing steps that are under way, will be under way before `until`, or have failed.

    Excludes failed fixes, since the next fix replaces them, and steps after a step that staff gave up. Also excludes a
    start day's cancel or an undo step that is blocked by an earlier step, and failed forward steps of an order that is
    being undone.
    """
    given_up = Dispatch.objects.filter(order=OuterRef("order"), state=Dispatch.State.GIVEN_UP, undo=True, blocking=True)
    soon = Q(undo=True) & ~Exists(given_up.current()) & ~is_blocked_by_others()
    soon |= Q(not_before__lte=Slot("until", DateTimeField())) & ~is_blocked()
    failed = Q(state=Dispatch.State.FAILED) & ~Q(step__in=FIXES) & (Q(undo=True) | Q(order__undo_since=None))
    wanted = Q(state__in=OPEN_STATES) | Q(state=Dispatch.State.WAITING) & soon | failed
    rows = Dispatch.objects.current().filter(wanted, channel=Dispatch.Channel.BILLING)
    return rows.only("order_id", "lane", "step", "state", "undo").order_by("pk")


OF_ORDERS = Prepared(lambda: _open_steps().filter(OneOf("order_id", "ids")))
IN_LINES_OF_OTHERS = Prepared(lambda: _open_steps().filter(OneOf("lane", "ids"), ~Q(OneOf("order_id", "ids"))))


def _stuck_undoings(orders: Collection[int]) -> dict[int, str]:
    """Returns orders whose undoing does not proceed by itself, each with the step that it waits for."""
    if not orders:
        return {}
    rows = Dispatch.objects.current().filter(order__in=orders, undo=True, blocking=True)
    rows = rows.filter(state__in=[Dispatch.State.FAILED, Dispatch.State.GIVEN_UP]).exclude(step__in=FIXES)
    return dict(rows.order_by("-pk").values_list("order_id", "step"))


class FixPlan:
    """Decides which differences of a (locked) order are corrected, and gives the reason why the other differences are
    not corrected."""

    def __init__(self, order: Order, obstacle: Obstacle | None, *, reason: str, now: datetime.datetime):
        self.order, self.obstacle, self.reason, self.now = order, obstacle, reason, now
        self.restored = is_from_before_restore(order)

    def judge(self, discrepancies: list[Discrepancy], records: Mapping[int, BillingRecord]) -> list[Left | None]:
        """Returns for each discrepancy the reason why it is not corrected, or None if it is corrected."""
        self.claim = self._started_claim()
        self.elsewhere = self._billed_elsewhere(discrepancies)
        return [self._why_left(one, records.get(one.record)) for one in discrepancies]

    def _why_left(self, one: Discrepancy, record: BillingRecord | None) -> Left | None:
        if one.remedy == SETTLE:
            return None
        if one.remedy not in {CREATE, DELETE}:
            return {"code": "no_name"}
        if self.obstacle:
            return self.obstacle.left
        if self.restored:
            return {"code": "restored"}
        if one.remedy == DELETE:
            return None if self.reason or is_fully_undone(self.order) else {"code": "stands"}
        ends = record.cancel_time if record.state == BillingRecord.State.LIVE else record.cancelled_at
        not_meant = one.kind == Difference.Kind.NOT_MEANT
        if not not_meant and not (record.create_time and ends):
            return {"code": "no_times"}
        makes_live = one.ours == "live" if not_meant else record.state == BillingRecord.State.LIVE
        return self._why_not_live(record) if makes_live else None

    def _why_not_live(self, record: BillingRecord) -> Left | None:
        """Returns the reason why this record must not be made live at the big-data side, or None if it may be made
        live."""
        order = self.order
        if record.info_type == BillingRecord.Type.COMMERCIAL:
            return None if order.state in BILLED else {"code": "not_to_be_billed", "state": order.state}
        if order.state == Order.State.WITHDRAWN:
            return {"code": "not_to_be_billed", "state": order.state}
        if self.claim:
            return {"code": "claimed", "activation": self.claim.activation.number}
        number = self.elsewhere.get(record.domain_key)
        return {"code": "billed_elsewhere", "number": number} if number else None

    def _started_claim(self) -> TrialClaim | None:
        """Returns the claim of an activation that has started, or that starts as soon as the activation is carried
        out."""
        if self.order.kind != Order.Kind.TRIAL:
            return None
        claim = TrialClaim.objects.filter(trial=self.order, released_at=None).select_related("activation").first()
        start = claim and claim.activation.start_at
        return claim if claim and (start is None or start <= self.now) else None

    def _billed_elsewhere(self, discrepancies: Iterable[Discrepancy]) -> dict[str, str]:
        """Returns by domain the unknown order numbers with a live record (`reconcile --numbers`)."""
        if self.order.kind != Order.Kind.TRIAL or all(one.remedy != CREATE for one in discrepancies):
            return {}
        rows = Difference.objects.filter(kind=Difference.Kind.UNKNOWN_ORDER, state=Difference.State.OPEN)
        live = rows.filter(detail__theirs="live").values_list("domain", "job_id")
        return {domain_key(domain): number for domain, number in live}


def is_fully_undone(order: Order) -> bool:
    """Returns True if the order is withdrawn, rejected or compensated, so that none of its records may be billed."""
    if order.state == Order.State.FAILED:
        return order.undo_since is not None
    return order.state in {Order.State.WITHDRAWN, Order.State.REJECTED}


def plan_fix(
    row: Reconciliation, order: Order, discrepancies: Iterable[Discrepancy], *, now: datetime.datetime
) -> dict[str, Dispatch]:
    """Plans the steps that correct these differences, by remedy. These steps replace an earlier failed fix."""
    again = [one.record for one in discrepancies if one.remedy == CREATE]
    meant = [one.record for one in discrepancies if one.remedy == CREATE and one.kind == Difference.Kind.NOT_MEANT]
    gone = [one.named for one in discrepancies if one.remedy == DELETE]
    steps = {}
    if again:
        steps[CREATE] = _step(order, Step.FIX_CREATE, now, size=len(again), fixes=again, meant=meant)
    if gone:
        steps[DELETE] = _step(order, Step.FIX_DELETE, now, size=len(gone), named=gone)
    return steps


def send_again(order: Order, records: list[int], *, now: datetime.datetime, **noted) -> None:
    """Plans the step that sends these records of a (locked) order in their target state, as a fix does."""
    _step(order, Step.FIX_CREATE, now, size=len(records), fixes=records, meant=records, **noted)


def _step(order: Order, step: str, now: datetime.datetime, **fields) -> Dispatch:
    """Creates a fix that is due at once. If the order was undone, the fix is an undo step."""
    line = {"lane": order.pk, "place": FIRST} if order.kind == Order.Kind.TRIAL else {}
    row = build_step(order, step, now=now, due=True, undo=order.undo_since is not None, **fields, **line)
    enqueue([row])
    return row
