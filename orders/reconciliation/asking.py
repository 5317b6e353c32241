"""Queries the big-data side's records when staff start an action that relies on them (contract 3.9, 14).

Before differences are accepted, the answer is compared with our records. If the differences have changed, they are
stored again and the action is refused, since only differences that were shown can be accepted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from orders.books.books import BooksSilentError, HeldRecord, Look, compare_now, fetch_records
from orders.books.differences import Shown, shown_of, told_shown
from orders.history.order_locks_and_events import add_event, lock_order
from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.models import BillingRecord, Dispatch, Order, Reconciliation
from orders.outbox.outcome import LOOK_UP
from orders.reconciliation.manual_answer_guards import check_not_called
from orders.reconciliation.results import Snapshot, begin_reconciliation, keep_discrepancies, snapshot
from orders.replanning.giving_up import given_up_removals
from orders.texts.errors import NotAllowedError

UNREADABLE = "unreadable"  # `theirs` if no record of the answer can be parsed


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The big-data side's records. `our_snapshot`: our records at the time of the answer. `shown`: the open
    differences.

    Both are None if the answer was not compared with our records. `changed`: the differences are no longer those that
    were shown.
    """

    held: list[HeldRecord]
    our_snapshot: Snapshot | None = None
    shown: Shown | None = None
    changed: bool = False


def owner_of_records(order: Order) -> Order:
    """Returns the order with the number that the records have as jobId. For a change, this is its trial."""
    return order.trial if order.kind == Order.Kind.CHANGE and order.trial else order


def of_job(order: Order, held: Iterable[HeldRecord]) -> list[HeldRecord]:
    """Returns the records that have the order's number as jobId, or no jobId."""
    return [one for one in held if one.fields.get("jobId", order.number) == order.number]


def ask_steps(order: Order, look: Look | None = None) -> Answer:
    """Returns the partner's records of an order. If a failed step needs the records of the order's trial, returns these
    too.

    Raises BooksSilentError.
    """
    return Answer(held=fetch_records(owner_of_records(order).number, look) + _of_trial(order, look))


def ask_and_compare(order: Order, *, by: str, look: Look | None = None, gone: bool = False) -> Answer:
    """Queries the records and compares them. If the differences have changed, stores them again. `look`: a manual
    look-up. `gone`: a lost record counts as a change, even if it is no difference because it should not be billed.

    Must not run in a transaction. Raises BooksSilentError, and NotAllowedError while a billing step is under way.
    """
    owner, now = owner_of_records(order), timezone.now()
    for one in (owner, _trial_asked_about(order)) if look else ():
        if one:
            check_not_called(one, look)
    found = compare_now(owner.pk, look)
    if any(one.theirs == UNREADABLE for one in found.discrepancies):
        raise BooksSilentError("the answer holds no records that can be read", code="bad_result")
    held = [*found.held, *_of_trial(order, look)]
    with transaction.atomic():
        owner = lock_order(owner.number)
        before, there = shown_of(owner), _counted_as_there(owner) if gone else set()
        row = begin_reconciliation(by=by, now=now)
        kept = keep_discrepancies(
            row, owner.pk, found.discrepancies, our_snapshot=found.our_snapshot, fix=False, by=by, now=now, mail=False
        )
        if kept is None:
            raise NotAllowedError("billing_under_way", number=order.number)
        counts = {"orders": 1, "records": found.records, "differences": len(kept)}
        Reconciliation.objects.filter(pk=row.pk).update(finished_at=now, **counts)
        shown, lost = shown_of(owner), bool(there and there - _counted_as_there(owner))
        changed = lost or shown != before
        if lost and shown == before:
            add_event(owner, "compared", by=by, now=now, reason="", differences=len(kept))
        if not changed:  # keep the rows and their owners
            transaction.set_rollback(True)
    return Answer(held=held, our_snapshot=found.our_snapshot, shown=shown, changed=changed)


def _counted_as_there(owner: Order) -> set[tuple[str, int]]:
    """Returns the keys of an order's live records and given-up removals. The order's page shows both."""
    live = owner.billing_records.filter(state=BillingRecord.State.LIVE).values_list("pk", flat=True)
    return {("live", pk) for pk in live} | {("removal", row.pk) for row in given_up_removals(owner)}


def _of_trial(order: Order, look: Look | None = None) -> list[HeldRecord]:
    trial = _trial_asked_about(order)
    return fetch_records(trial.number, look) if trial else []


def _trial_asked_about(order: Order) -> Order | None:
    """Returns the trial of an activation with a failed step on the trial's records."""
    failed = order.dispatches.current().filter(state=Dispatch.State.FAILED, channel=Dispatch.Channel.BILLING)
    owner = owner_of_records(order)
    if order.trial and order.trial.pk != owner.pk and failed.filter(lane=order.trial_id).exists():
        return order.trial
    return None


def why_silent(error: BooksSilentError) -> NotAllowedError:
    """Returns the error for an action if the big-data side did not answer."""
    if error.code == LOOK_UP:
        return NotAllowedError("look_up_by_person")
    if error.code == PARTNER_PAUSED:
        return NotAllowedError("books_paused", told=str(error))
    return NotAllowedError("books_silent", code=error.code, told=str(error))


def check_as_shown(order: Order, answer: Answer) -> None:
    """Raises NotAllowedError if the differences of a (locked) order or our records have changed since the comparison.

    Does nothing for an answer that was not compared.
    """
    if answer.shown is None:
        return
    owner = owner_of_records(order)
    shown = shown_of(owner)
    if answer.changed or shown != answer.shown:
        raise NotAllowedError("books_otherwise", number=order.number, found=told_shown(shown))
    records = BillingRecord.objects.filter(order=owner)
    if snapshot(records) != answer.our_snapshot:
        raise NotAllowedError("billing_under_way", number=order.number)


def check_compared(order: Order, answer: Answer) -> None:
    """Raises NotAllowedError if the answer was not compared. It was queried for a step or move that has ended
    meanwhile."""
    if answer.shown is None:
        raise NotAllowedError("billing_under_way", number=order.number)
