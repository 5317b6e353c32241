"""Writes a settlement down, in few statements and one transaction: domains, claim, records, dispatches, schedule."""

import datetime

from orders.models import BillingRecord, Dispatch, Order, OrderDomain, TrialClaim
from orders.rows import insert_rows
from orders.services.planning import Settlement
from orders.services.schedules import make_schedule
from orders.services.stepping import line_is_free, release, start_plan

Step = Dispatch.Step


def carry_out(order: Order, decision: Settlement, *, now: datetime.datetime, again: bool = False) -> None:
    """Saves what was decided about a saved order. Its first steps become due.

    `again`: the order was held before, so the domains that its message gave are there already.
    """
    _write_domains(order, decision.domains, again)
    if decision.claim:
        insert_rows([TrialClaim(trial=order.trial, activation=order, taken_at=now)])
    if decision.held:
        return
    new = _write_records(decision.new)
    _write_dispatches(order, decision, new, now, again)
    if order.start_at:
        make_schedule(order)


def _write_domains(order: Order, names: list[str], again: bool) -> None:
    kept = set(order.domains.values_list("key", flat=True)) if again else set()
    rows = [OrderDomain(order_id=order.pk, name=name, key=name.lower()) for name in names]
    insert_rows(row for row in rows if row.key not in kept)


def _write_records(records: list[BillingRecord]) -> list[BillingRecord]:
    """Makes the rows. A domain that a trial had before has its row already: the same one is used again."""
    if not records:
        return []
    first = records[0]
    known = {}
    if first.info_type == BillingRecord.Type.TRIAL:
        rows = BillingRecord.objects.filter(order=first.order, product_id=first.product_id)
        known = {row.domain_key: row for row in rows}
    insert_rows(row for row in records if row.domain_key not in known)
    return [known.get(row.domain_key, row) for row in records]


def _size(channel: str, records: list[BillingRecord], domains: list[str]) -> int:
    """How much a step has to say: its records, or the order's domains where it names them."""
    if channel == Dispatch.Channel.BILLING:
        return len(records)
    return 0 if channel == Dispatch.Channel.USAGE else len(domains)


def _write_dispatches(
    order: Order, decision: Settlement, new: list[BillingRecord], now: datetime.datetime, again: bool
) -> None:
    trial_id = order.trial_id or order.pk
    rows = []
    for position, step in enumerate(decision.steps, start=1):
        records = decision.old if step.step == Step.CANCEL_TRIAL else new
        rows.append(
            Dispatch(
                order=order,
                step=step.step,
                channel=step.channel,
                position=position,
                blocking=step.blocking,
                gate=step.gate,
                not_before=order.start_at if step.gate == Dispatch.Gate.START else None,
                lane=trial_id if step.in_line else None,
                records=[row.pk for row in records] if step.channel == Dispatch.Channel.BILLING else [],
                size=_size(step.channel, records, decision.domains),
                created_at=now,
            )
        )
    free = not again and line_is_free(trial_id)
    if free:
        start_plan(rows, now=now)
    insert_rows(rows)
    if not free:
        release(now=now, order_ids=[order.pk])
