"""Writes a settlement down, in few statements and one transaction: domains, claim, records, dispatches, schedule."""

import datetime
from collections.abc import Mapping

from orders.db.compiled_sql import insert_rows
from orders.models import BillingRecord, Dispatch, Order, OrderDomain, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.plan import PlannedStep
from orders.services.order_state import move_trial
from orders.services.outbox.enqueue import build_step, enqueue
from orders.services.outbox.release import line_is_free, release, start_plan
from orders.services.planning import CLOSED_FOR_GOOD, Settlement
from orders.services.schedules import find_schedule, make_schedule
from orders.steps import STEPS, Effect, Phase

Step, State = Dispatch.Step, Dispatch.State
RECORDS = {Effect.CANCEL: "old", Effect.EXTEND: "staying"}  # of a settlement; all other billing steps: "new"


def carry_out(
    order: Order, decision: Settlement, *, now: datetime.datetime, by: str, again: bool = False,
    kept: Mapping[str, Dispatch] | None = None,
) -> None:  # fmt: skip
    """Saves what was decided about a saved order. Its first steps become due.

    `again`: the order was held or planned before, so it has domains and perhaps dispatches. `kept`: dispatches of an
    earlier plan, by step, that stand in the new one too.
    """
    _write_domains(order, decision.domains, again)
    if decision.claim:
        take_claim(order, now=now)
    if decision.held:
        return
    if order.kind == Order.Kind.CHANGE and order.trial.state == Order.State.ENDED:
        move_trial(order.trial, Order.State.TRIALING, now=now, by=by)  # a later end (contract 3.10)
    new = _write_records(decision.new, had=again or order.kind == Order.Kind.CHANGE)
    _write_dispatches(order, decision, new, now, again, kept or {})
    if order.start_at and not (again and find_schedule(order)):
        make_schedule(order)


def take_claim(order: Order, *, now: datetime.datetime) -> None:
    """The (locked) trial is this activation's. Raises IntegrityError where another one holds it."""
    state = order.trial.undo_to or order.trial.state  # what it is, or will be once its own undoing is over
    was = state if state in CLOSED_FOR_GOOD else Order.State.TRIALING
    insert_rows([TrialClaim(trial=order.trial, activation=order, taken_at=now, trial_was=was)])


def _write_domains(order: Order, names: list[str], again: bool) -> None:
    """The order's list, in its order. What an earlier plan had and this one has not is gone."""
    rows = [OrderDomain(order_id=order.pk, name=name, key=name.lower()) for name in names]
    if again:
        if list(order.domains.values_list("name", flat=True)) == names:
            return
        order.domains.all().delete()
    insert_rows(rows)


def _write_records(records: list[BillingRecord], *, had: bool) -> list[BillingRecord]:
    """Makes the rows. A domain that the order or trial had before has its row already: the same one is used again. A
    commercial one begins anew, a trial's keeps the time when it was first made."""
    if not records:
        return []
    first = records[0]
    rows = BillingRecord.objects.filter(order=first.order, product_id=first.product_id)
    known = {row.domain_key: row for row in rows} if had else {}
    if known and first.info_type == BillingRecord.Type.COMMERCIAL:
        rows.exclude(state__in=BillingRecord.THERE).update(
            state=BillingRecord.State.TO_SEND, create_time=None, cancel_time=None, cancelled_at=None, accepted={}
        )
    insert_rows(row for row in records if row.domain_key not in known)
    return [known.get(row.domain_key, row) for row in records]


def _write_dispatches(
    order: Order, decision: Settlement, new: list[BillingRecord], now: datetime.datetime, again: bool,
    kept: Mapping[str, Dispatch],
) -> None:  # fmt: skip
    trial_id = order.trial_id or order.pk
    rows = []
    for position, step in enumerate(decision.steps, start=Phase.PLAN):
        if step.step in kept:
            _keep(kept[step.step], order, position, step.gate)
            continue
        effect = STEPS[step.step].effect
        records = getattr(decision, RECORDS[effect]) if effect in RECORDS else new
        rows.append(_build(order, step, position, records, len(decision.domains), now))
    free = not again and line_is_free(trial_id)
    if free:
        start_plan(rows, now=now)
    enqueue(rows, new=not again)
    if not free:
        release(now=now, order_ids=[order.pk])


def _build(
    order: Order, step: PlannedStep, position: int, records: list[BillingRecord], domains: int, now: datetime.datetime
) -> Dispatch:  # fmt: skip
    """One step of the plan. Its size is how much it has to say: its records, or the order's domains where it names
    them."""
    place = {"position": position, "gate": step.gate}
    if step.gate == Dispatch.Gate.START:
        place["not_before"] = order.start_at
    channel = STEPS[step.step].channel
    if channel == Dispatch.Channel.BILLING:
        return build_step(order, step.step, now=now, records=[row.pk for row in records], **place)
    return build_step(order, step.step, now=now, size=0 if channel == Dispatch.Channel.USAGE else domains, **place)


def _keep(row: Dispatch, order: Order, position: int, gate: str) -> None:
    """A dispatch of an earlier plan goes over into the new one: done, under way, or to be repeated with its key and
    bytes."""
    places = {"plan": order.plans, "position": position, "gate": gate, "superseded": False}
    if row.state not in {State.DONE, *OPEN_STATES}:
        places |= {"state": State.WAITING, "next_try_at": None, "tries_left": None, "error_code": "", "error": ""}
        places |= {"error_params": {}}
    Dispatch.objects.filter(pk=row.pk).update(**places)
