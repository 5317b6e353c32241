"""Decides which billing steps may have acted at the big-data side (contract 3.9, Resend: whose acts count).

Only this module makes this decision. `Dispatch.may_have_acted` is set if the partner carried out an attempt. It is also
set if the partner may have done so: an answer was lost, a worker died, or no retry was left. A later refusal of a
repeat does not reset this field, since it says nothing about the attempt with the lost answer.
"""

import datetime
from collections.abc import Collection, Iterable
from typing import NamedTuple

from django.db.models import BigIntegerField, DateTimeField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.models import NOTES, Attempt, BillingRecord, Dispatch, Order
from orders.outbox.outcome import DOUBTS, LOOK_UP
from orders.rules.host_names import domain_key
from orders.rules.steps import DELETIONS, SENDS_NOTHING, Channel, Step, named

ACTED = Q(may_have_acted=True) | Q(state=Dispatch.State.SENDING)
MAY_ACT = datetime.timedelta(minutes=10)  # contract 3.9, Unknown: how long an unanswered call may act


def unanswered_since(moment: datetime.datetime | Slot) -> Q:
    """Returns the condition for steps with an unanswered call since `moment`. Leaves out steps that had nothing to
    send."""
    return Q(unanswered_at__gt=moment) & ~Q(payload=SENDS_NOTHING)


UNANSWERED = Prepared(
    lambda: (
        Dispatch.objects.filter(
            OneOf("lane", "serial_trial_ids") | OneOf("order_id", "orders") & Q(lane=None),
            unanswered_since(Slot("since", DateTimeField())),
            channel=Channel.BILLING,
        )
        .order_by()
        .values_list("pk", "order_id", "lane", "step", "unanswered_at")
    )
)


def may_have_acted(row: Dispatch) -> bool:
    """Returns True if the partner carried out an attempt of this dispatch or may have done so. A call in progress
    counts too."""
    return row.may_have_acted or row.state == Dispatch.State.SENDING


def takes_back(row: Dispatch) -> bool:
    """Returns True if a step is an undo step, or if it restores records of a change that staff gave up in part."""
    return row.undo or bool(row.puts_back)


def cancels_on_start(row: Dispatch) -> bool:
    """Returns True if a step cancels a trial's records on the start day of its activation."""
    return row.step == Step.CANCEL_TRIAL and row.gate == Dispatch.Gate.START


def starts_in_doubt(order: Order) -> QuerySet[Dispatch]:
    """Returns the order's BPM starts that failed in doubt: it is unknown whether BPM has the process (contract 7.2)."""
    rows = order.dispatches.current().filter(step=Step.START_BPM, state=Dispatch.State.FAILED, repeat=False)
    return rows.filter(error_code__in=DOUBTS)


def acts_of(order: Order) -> list[Dispatch]:
    """Returns the forward billing dispatches of the order's current plan that may have acted, by position. Superseded
    dispatches are included."""
    rows = order.dispatches.filter(ACTED, plan=order.plans, channel=Channel.BILLING, undo=False)
    return list(rows.exclude(step=Step.ASK_BILLING).order_by("position", "pk").defer("payload"))


def touched_since(row: Dispatch) -> set[int]:
    """Returns the records of a dispatch that a later step of its line or order may have changed. Repeats do not count
    as later steps."""
    mine, found = set(row.records), set()
    for records in later_in_line(row).filter(ACTED).exclude(records=[]).values_list("records", flat=True):
        found |= mine.intersection(records)
    return found


class LateCall(NamedTuple):
    """A step with an unanswered call that may still act. If the step is in a trial's line (`lane`), the call acts on
    the trial's records, otherwise on the records of `order`."""

    pk: int
    order: int
    lane: int | None
    step: str
    unanswered_at: datetime.datetime

    def is_about(self, row: Dispatch) -> bool:
        """Returns True if this call may reverse the effect of another step. A deletion after a deletion changes
        nothing."""
        same = self.order == row.order_id if row.lane is None else True
        harmless = self.step in DELETIONS and row.step in DELETIONS
        return self.lane == row.lane and same and self.pk != row.pk and not harmless


def late_calls(
    *, orders: Collection[int] = (), serial_trial_ids: Collection[int] = (), now: datetime.datetime
) -> list[LateCall]:
    """Returns the calls that may still act on the records of these orders or of these trials (contract 3.9, Unknown).

    The result includes steps of all kinds and plans, superseded steps and repeats. A call counts even if a repeat of it
    was answered.
    """
    query, values = ask_for_late_calls(orders=orders, serial_trial_ids=serial_trial_ids, now=now)
    return as_late_calls(query(**values))


def ask_for_late_calls(
    *, orders: Collection[int], serial_trial_ids: Collection[int], now: datetime.datetime
) -> tuple[Prepared, dict]:
    """Returns the query of `late_calls` and the query's values, so that it can run together with other queries.
    `as_late_calls` converts its rows."""
    return UNANSWERED, {"orders": orders, "serial_trial_ids": serial_trial_ids, "since": now - MAY_ACT}


def as_late_calls(found: Iterable[tuple]) -> list[LateCall]:
    return [LateCall(*row) for row in found]


def may_act_until(calls: Iterable[LateCall]) -> datetime.datetime | None:
    """Returns the time after which none of these calls can act any more, or None if there is no call."""
    return max((call.unanswered_at + MAY_ACT for call in calls), default=None)


def called_after(owners: Collection[int], as_of: datetime.datetime) -> dict[int, set[tuple[str, str]]]:
    """Returns the records of these orders about which a look-up at `as_of` proves nothing (contract 7.2). A call for
    such a record was unfinished, or ended later than ten minutes before `as_of`. The result maps order ids to pairs of
    productId and domain key."""
    calls = Attempt.objects.filter(Q(finished_at=None) | Q(finished_at__gt=as_of - MAY_ACT), dispatch=OuterRef("pk"))
    calls = calls.exclude(outcome=Attempt.Outcome.HANDED_BACK).exclude(error_code=LOOK_UP)  # nothing was sent
    rows = Dispatch.objects.filter(Q(lane__in=owners) | Q(order__in=owners, lane=None), channel=Channel.BILLING)
    rows = rows.filter(Exists(calls)).exclude(step=Step.ASK_BILLING).exclude(payload=SENDS_NOTHING)
    found: dict[int, set[tuple[str, str]]] = {}
    ids: set[int] = set()
    for row in rows.only("order", "lane", "records", *NOTES):
        ids.update(row.records, row.fixes or ())
        named = {(one["productId"], domain_key(one["domain"])) for one in row.named or ()}
        found.setdefault(row.lane or row.order_id, set()).update(named)
    for order, *key in BillingRecord.objects.filter(pk__in=ids).values_list("order", "product_id", "domain_key"):
        found.setdefault(order, set()).add(tuple(key))
    return found


def later_in_line(row: Dispatch) -> QuerySet[Dispatch]:
    """Returns the billing steps after a dispatch in its line, or in its order. A replacement takes the place of the
    replaced step."""
    turn = Coalesce("place", "pk", output_field=BigIntegerField())
    same = Q(order=row.order_id) if row.lane is None else Q(lane=row.lane)
    rows = Dispatch.objects.filter(same, channel=Channel.BILLING, repeat=False).exclude(pk=row.pk)
    return rows.annotate(turn=turn).filter(turn__gt=row.place or row.pk)


def denied_by_books() -> Q:
    """Returns the condition for failed steps of unknown outcome that are contradicted by a later query: their records
    have another state. A repeat of such a step might have no effect."""
    denied = Q()
    for state in (BillingRecord.State.LIVE, BillingRecord.State.CANCELLED, BillingRecord.State.DELETED):
        other = BillingRecord.objects.filter(dispatch=OuterRef("pk")).exclude(
            state__in=[BillingRecord.State.UNKNOWN, state]
        )
        denied |= Q(Exists(other), step__in=named(record_state_after=state))
    settled = BillingRecord.objects.filter(dispatch=OuterRef("pk")).exclude(state=BillingRecord.State.UNKNOWN)
    denied |= Q(Exists(settled), step=Step.EXTEND_TRIAL)  # the end is known, whatever it is
    return Q(state=Dispatch.State.FAILED, definite=False) & denied


def bpm_acts(order: Order) -> QuerySet[Dispatch]:
    """Returns all BPM starts of the order that may have started a process, newest first."""
    return order.dispatches.filter(ACTED, step=Step.START_BPM, repeat=False).order_by("-pk")
