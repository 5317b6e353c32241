"""What is left of a trial or change after staff gave a step up (contract 3.9, A way out of everything)."""

import datetime

from orders.models import BillingRecord, Dispatch, Order, OrderDomain
from orders.services.compensation.start import give_ending
from orders.services.order_state import add_event, latest_shape, move_trial

State, Step, Kind = Dispatch.State, Dispatch.Step, Order.Kind
ENDED = [State.DONE, State.GIVEN_UP, State.CLOSED, State.UNDONE]


def count_what_is_there(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Reduces a (locked) trial or change to its records once all its steps have ended. Returns whether they have.

    A trial with nothing live has ended. A change is applied with what it did. It is withdrawn if it did nothing.
    """
    steps = order.dispatches.current().filter(plan=order.plans, channel=Dispatch.Channel.BILLING, undo=False)
    if order.undo_since or order.kind == Kind.ACTIVATION or steps.exclude(state__in=ENDED).exists():
        return False
    trial = order.trial or order
    there = _records_by_domain(trial)
    if order.kind == Kind.TRIAL:
        _reduce_trial(order, order, there, now, by)
    else:
        _reduce_change(order, there, now, by)
    return True


def keep_what_is_live(trial: Order, *, now: datetime.datetime, by: str) -> None:
    """Reduces a (locked) trial to its live records.

    What a withdrawn change had removed could not be restored.
    """
    _reduce_trial(trial, latest_shape(trial), _records_by_domain(trial), now, by)


def _records_by_domain(trial: Order) -> dict[str, BillingRecord]:
    rows = trial.billing_records.filter(state__in=BillingRecord.THERE).order_by("pk")
    return {row.domain_key: row for row in rows}


def _reduce_trial(trial: Order, shape: Order, there: dict[str, BillingRecord], now: datetime.datetime, by: str) -> None:
    keys = shape.domains.values_list("key", flat=True)
    _set_domains(shape, [key for key in keys if key in there], now, by)
    _end_without_records(trial, there, now, by)


def _end_without_records(trial: Order, there: dict[str, BillingRecord], now: datetime.datetime, by: str) -> None:
    if not there and trial.state != Order.State.ENDED:
        move_trial(trial, Order.State.ENDED, now=now, by=by)


def _reduce_change(change: Order, there: dict[str, BillingRecord], now: datetime.datetime, by: str) -> None:
    change.in_effect = False
    change.save(update_fields=["in_effect"])
    if not _is_begun(change):  # what it rests on may still be on its way: the books don't show it yet
        _end_without_effect(change, now, by)
        return
    before = latest_shape(change.trial)
    if not _step_done(change, Step.EXTEND_TRIAL):
        change.biz_end = before.biz_end if _has_step(change, Step.EXTEND_TRIAL) else change.biz_end
    if not any(row.product_id == change.service_type_id for row in there.values()):
        change.service_type_id = before.service_type_id
    same = set(there) == set(before.domains.values_list("key", flat=True))
    if same and (change.service_type_id, change.biz_end) == (before.service_type_id, before.biz_end):
        _end_without_effect(change, now, by)
        return
    change.in_effect = True
    change.save(update_fields=["in_effect", "service_type", "biz_end"])
    names = {key: row.domain for key, row in there.items()}
    own = list(change.domains.values_list("key", flat=True))
    _set_domains(
        change, [*(key for key in own if key in names), *(key for key in names if key not in own)], now, by, names
    )
    _end_without_records(change.trial, there, now, by)


def _end_without_effect(change: Order, now: datetime.datetime, by: str) -> None:
    if change.state != Order.State.WITHDRAWN:  # else its incident stays: orders that rest on it were planned with it
        give_ending(change, Order.State.WITHDRAWN, now=now, by=by)


def _is_begun(change: Order) -> bool:
    return change.dispatches.filter(plan=change.plans, channel=Dispatch.Channel.BILLING, attempts__gt=0).exists()


def _has_step(change: Order, step: str) -> bool:
    return change.dispatches.filter(plan=change.plans, step=step, undo=False).exists()


def _step_done(change: Order, step: str) -> bool:
    return change.dispatches.filter(plan=change.plans, step=step, undo=False, state=State.DONE).exists()


def _set_domains(
    order: Order, keys: list[str], now: datetime.datetime, by: str, names: dict[str, str] | None = None
) -> None:
    """Sets the order's list to these domains. An event names the ones that are gone."""
    had = dict(order.domains.values_list("key", "name"))
    gone = [name for key, name in had.items() if key not in keys]
    if list(had) == keys:
        return
    order.domains.all().delete()
    names = {**(names or {}), **had}
    OrderDomain.objects.bulk_create(OrderDomain(order=order, name=names.get(key, key), key=key) for key in keys)
    add_event(order, "domains_dropped", by=by, now=now, domains=gone[:100], count=len(gone))
