"""Corrects the attribution of a trial and of all orders based on the trial (contract 3.9, 18; section 5, `attribute
--move`).

Our orders change at once. Live records are sent again, so that the big-data side changes the province too.
"""

import datetime
from collections import defaultdict

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.books.fixes import FIRST
from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import add_event, find_order, lock_orders
from orders.intake.replan_held_orders import province_of
from orders.models import BillingRecord, Dispatch, Order, Province
from orders.models.dispatch import OPEN_STATES
from orders.outbox.billing_effects import MAY_ACT, unanswered_since
from orders.outbox.enqueue import build_step, enqueue, wake
from orders.outbox.record_selection import WAS_IN
from orders.outbox.release_steps import NOT_FINISHED
from orders.rules.steps import Step
from orders.texts.errors import NotAllowedError, check_reason

STEPS = Dispatch.objects.filter(order=OuterRef("pk"), channel=Dispatch.Channel.BILLING)
UNSURE = Q(state=Dispatch.State.FAILED, definite=False, repeat=False)
UNSETTLED = Q(Exists(STEPS.current().filter(Q(state__in=OPEN_STATES) | UNSURE))) | Q(
    Exists(BillingRecord.objects.filter(order=OuterRef("pk"), state=BillingRecord.State.UNKNOWN))
)


def move_attribution(*, number: str, letters: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Sets the attribution of an order and its family. The attribution is given by letters or code.

    Live records that have another province at the big-data side are sent again with unchanged times. BPM is not
    notified. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "moving an attribution")
    new = province_of(letters)
    with transaction.atomic():
        found = find_order(number)
        locked = lock_orders(row.pk for row in family_of(found))  # all at once, in the usual locking order
        order = locked[found.pk]
        locked |= lock_orders(
            row.pk for row in family_of(order) if row.pk not in locked
        )  # orders that arrived meanwhile
        family = list(locked.values())
        steps = Dispatch.objects.current().filter(order__in=family, channel=Dispatch.Channel.BILLING)
        list(steps.filter(state__in=NOT_FINISHED).order_by("pk").select_for_update(no_key=True).values_list("pk"))
        if why := why_not_move_attribution(order, now) or why_not_there(order, new):
            raise why
        records = records_to_post(order, new)
        _note_provinces(family)
        for row in [row for row in family if row.attribution_id != new.letters]:
            old, row.attribution = row.attribution_id or "", new
            add_event(row, "attribution_moved", by=by, now=now, old=old, new=new.letters, reason=reason.strip())
        update_rows(family, ["attribution"])
        _post(family, records, now)
        wake()
    order.refresh_from_db(fields=["attribution"])
    return order


def family_of(order: Order) -> list[Order]:
    """Returns the order's trial and all orders that refer to this trial. The order may be the trial itself."""
    return list(_family(order).select_related("attribution").defer("content").order_by("pk"))


def _family(order: Order) -> QuerySet[Order]:
    root = order.number if order.kind == Order.Kind.TRIAL else order.trial_number
    same = Q(number=root, kind=Order.Kind.TRIAL) | Q(trial_number=root)
    return Order.objects.filter(same if root else Q(pk=order.pk))


def why_not_move_attribution(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the error if an order's attribution can't be changed now to any other attribution. Makes at most one
    query."""
    if Order.Held.ATTRIBUTION_UNKNOWN in {row.held_because for row in (order, order.trial) if row}:
        return NotAllowedError("attribution_held", number=order.number)
    if order.attribution_id is None:
        return NotAllowedError("attribution_none", number=order.number, state=order.state)
    late = STEPS.filter(unanswered_since(now - MAY_ACT))  # of all plans, including replaced ones and repeats
    unsettled = _family(order).filter(UNSETTLED | Q(Exists(late)))
    number = unsettled.order_by("pk").values_list("number", flat=True).first()
    return NotAllowedError("attribution_unsettled", number=number) if number else None


def why_not_there(order: Order, new: Province) -> NotAllowedError | None:
    """Returns the error if the attribution can't be changed to the given one."""
    if any(row.attribution_id not in {None, new.letters} for row in family_of(order)):
        return None
    return NotAllowedError("attribution_same", number=order.number, letters=new.letters)


def records_to_post(order: Order, new: Province | None) -> list[BillingRecord]:
    """Returns the live records of an order's family that have another province at the big-data side. If `new` is None,
    returns all live records of the family."""
    family = {row.pk: row for row in family_of(order)}
    rows = list(BillingRecord.objects.filter(order__in=family, state=BillingRecord.State.LIVE).order_by("pk"))
    return [row for row in rows if new is None or _province_there(row, family[row.order_id]) != new.code]


def _province_there(record: BillingRecord, order: Order) -> str:
    return record.accepted.get("province", order.attribution.code if order.attribution else "")


def _note_provinces(family: list[Order]) -> None:
    """Removes accepted provinces from live records. Stores in cancelled records which province they have at the
    big-data side."""
    owners, changed = {row.pk: row for row in family}, []
    for record in BillingRecord.objects.filter(
        order__in=owners, state__in=[BillingRecord.State.LIVE, BillingRecord.State.CANCELLED]
    ):
        kept = {name: value for name, value in record.accepted.items() if name not in {"province", WAS_IN}}
        if record.state == BillingRecord.State.CANCELLED:
            kept |= {"province": _province_there(record, owners[record.order_id]), WAS_IN: True}
        if kept != record.accepted:
            record.accepted = kept
            changed.append(record)
    update_rows(changed, ["accepted"])


def _post(family: list[Order], records: list[BillingRecord], now: datetime.datetime) -> None:
    """Plans a step for each order with records to post. For a trial, the step comes first in the trial's line. The new
    step replaces a failed step of this kind."""
    mine = defaultdict(list)
    for record in records:
        mine[record.order_id].append(record.pk)
    rows = []
    for order in family:
        if ids := mine[order.pk]:
            order.dispatches.filter(step=Step.MOVE_ATTRIBUTION, state=Dispatch.State.FAILED).update(superseded=True)
            line = {"lane": order.pk, "place": FIRST} if order.kind == Order.Kind.TRIAL else {}
            place = {"undo": order.undo_since is not None, "size": len(ids), **line}
            rows.append(build_step(order, Step.MOVE_ATTRIBUTION, now=now, due=True, fixes=ids, **place))
    enqueue(rows)
