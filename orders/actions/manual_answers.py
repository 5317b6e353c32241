"""A person's answers in place of the big-data side's, if it has no look-up (contract 7.2).

A step that needs a look-up has failed with the code `look_up`, and its trial's line waits. A person's answer ends the
step as the partner's answer would have. The answer does not cover records with a call after it, or with a call less
than ten minutes before it.
"""

import datetime
from collections.abc import Collection, Iterable

from orders.books.books import HeldRecord
from orders.books.held_records import by_identity, identity, owner
from orders.history.order_locks_and_events import load_records, lock_order
from orders.incidents.incidents import close_troubles
from orders.models import NOTES, Attempt, BillingRecord, Dispatch, KeptAnswer, Order, asks_about
from orders.outbox.enqueue import build_replacement, enqueue
from orders.outbox.outcome import ACTED_BEFORE, LOOK_UP, Outcome
from orders.outbox.release_steps import NOT_FINISHED
from orders.rules.steps import Step
from orders.sending.record import record_read_again


def questions_of(order: Order) -> list[Dispatch]:
    """Returns the order's billing steps that wait for a manual look-up, in their sequence. If two look-ups follow the
    same step, only the first has failed and is returned."""
    rows = order.dispatches.current().filter(
        state=Dispatch.State.FAILED, error_code=LOOK_UP, channel=Dispatch.Channel.BILLING
    )
    return list(rows.order_by("position", "pk").defer("payload"))


def answer_questions(
    number: str, rows: Iterable[Dispatch], held: Collection[HeldRecord], *, now: datetime.datetime, by: str
) -> None:
    """Ends the steps as the partner's answer would have ended them. Runs in the caller's transaction, with the order
    locked."""
    for pk in [row.pk for row in rows]:
        order = lock_order(number)  # reload: the previous answer may have changed it
        row = (
            order.dispatches.current()
            .filter(pk=pk, state=Dispatch.State.FAILED, error_code=LOOK_UP)
            .defer("payload")
            .first()
        )
        if row is None:
            continue
        row.order = order
        _end_later_looks(row)
        close_troubles(order, step=row.step, code=LOOK_UP, now=now, by=by)
        if row.step == Step.VERIFY_DELETED and _is_there(row, held):
            _delete_again(row, now)
        else:
            record_read_again(row, _answered(row, held), now=now, by=by)


def _end_later_looks(row: Dispatch) -> None:
    """Supersedes the second look-up of the same step. It is not needed, since no earlier call can take effect any
    more."""
    if row.step not in {Step.ASK_BILLING, Step.VERIFY_DELETED}:
        return
    same = Dispatch.objects.current().filter(order=row.order_id, step=row.step, undo=row.undo, state__in=NOT_FINISHED)
    same.filter(asks_about(row.question, row.asked_step)).exclude(pk=row.pk).update(superseded=True)
    row.is_last = True
    row.save(update_fields=NOTES)


def _is_there(row: Dispatch, held: Iterable[HeldRecord]) -> bool:
    there = by_identity(held)
    return any(identity(record, owner(row, record)) in there for record in load_records(row.records).values())


def _delete_again(row: Dispatch, now: datetime.datetime) -> None:
    Dispatch.objects.filter(pk=row.pk).update(superseded=True)
    again = build_replacement(row, now=now)
    again.seen_there = True
    enqueue([again], random_keys=True)


def _answered(row: Dispatch, held: Iterable[HeldRecord]) -> Outcome:
    """Returns the outcome of the step's last attempt, as if the partner had given this answer. A query gets the records
    as its answer. A step that was refused, or was sent before with other bytes, gets them as the partner's present
    state."""
    attempt = row.tries.order_by("-pk").first()
    assert attempt is not None
    about: dict = {"dispatch_id": row.pk, "attempt_id": attempt.pk, "token": row.key, "channel": row.channel}
    if row.step == Step.ASK_BILLING:
        job = row.asked_job or row.order.number
        rows = [one for one in held if one.fields.get("jobId") == job]
        return Outcome(result=Attempt.Outcome.OK, data={"held": rows}, **about)
    if row.step == Step.VERIFY_DELETED and attempt.error_code == LOOK_UP:
        return Outcome(result=Attempt.Outcome.OK, **about)
    about |= {"message": row.error, "params": row.error_params, "data": {"held": list(held)}}
    if attempt.error_code == ACTED_BEFORE:
        return Outcome(result=Attempt.Outcome.ACTED_BEFORE, code=ACTED_BEFORE, **about)
    kept = KeptAnswer.objects.filter(attempt=attempt).first()
    came = {"read": kept.read, "raw": bytes(kept.raw), "charset": kept.charset} if kept else {}
    http = {"http_status": attempt.http_status, "answer": attempt.answer}
    return Outcome(result=Attempt.Outcome.REFUSED, code=attempt.error_code or "", **came, **http, **about)


def records_in_question(order: Order) -> list[BillingRecord]:
    """Returns the records that a person must look up. These are the records of the order's failed billing steps, and
    all other records with its jobId that may exist at the partner. If a step on the trial has failed, the trial's
    records are included."""
    failed = order.dispatches.current().filter(state=Dispatch.State.FAILED, channel=Dispatch.Channel.BILLING)
    rows = list(failed.values_list("records", "lane"))
    owners = {order.trial_id if order.kind == Order.Kind.CHANGE else order.pk, *(lane for _records, lane in rows)}
    named = {pk for records, _lane in rows for pk in records}
    records = BillingRecord.objects.filter(order__in=owners - {None}).select_related("order").order_by("pk")
    over = {BillingRecord.State.TO_SEND, BillingRecord.State.DELETED}
    return [one for one in records if one.pk in named or one.state not in over]
