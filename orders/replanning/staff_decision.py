"""Lets staff choose which BPM decision is valid (contract 3.6, 5 `decide`)."""

import datetime

from django.db import transaction

from approvals.models import ApprovalRecord
from orders.bpm.received_decisions import add_staff_record, apply_decision, settle_process
from orders.erasing.erased_orders import why_erased
from orders.history.order_locks_and_events import add_event, lock_order
from orders.history.states import set_decision
from orders.incidents.incidents import close_troubles, end_settled
from orders.mails.mail_creation import tell_accepted
from orders.models import Order
from orders.outbox.billing_effects import bpm_acts
from orders.outbox.enqueue import wake
from orders.replanning.reopening import claims_against, open_again, why_not_open
from orders.texts.errors import NotAllowedError, check_reason
from orders.undoing.late import end_question

WORDS = (Order.Decision.PASS.value, Order.Decision.REJECT.value)
COUNTS = {Order.Decision.PASS: "pass_counts", Order.Decision.REJECT: "reject_counts"}


def decide(*, number: str, record: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Makes a finished approval record the valid decision.

    `record` is the recordId of the approval record. If BPM's record was lost, `record` is `pass` or `reject`, and an
    approval record with that result is stored for staff.

    A pass reopens a rejected order. If an order was compensated for another reason, a pass takes effect only when the
    order is resent. A reject has the same effect as one that arrives now. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "a decision")
    with transaction.atomic():
        order = lock_order(number)
        result = _result(order, record)
        if why := why_not_decide(order) or why_not_count(order, result):
            raise why
        counts = _record(order, record) or add_staff_record(
            order,
            "decide",
            node="decide",
            node_name="人工裁定",
            result=record,
            operator=by,
            opinion=reason.strip(),
            finished=True,
            now=now,
        )
        add_event(
            order,
            "decided",
            by=by,
            now=now,
            record=counts.record_id,
            result=result,
            reason=reason.strip(),
            before=order.decision,
        )
        close_troubles(order, step="approval", now=now, by=by)
        _act(order, counts, by=by, now=now)
        wake()
    return order


def why_not_decide(order: Order) -> NotAllowedError | None:
    """Returns the reason why staff can't decide in the order's current state, or None if staff can decide."""
    if order.kind != Order.Kind.ACTIVATION:
        return NotAllowedError("decide_no_activation", number=order.number, kind=order.kind)
    if order.state == Order.State.WITHDRAWN or (order.withdrawal_idh and order.undo_since):
        return NotAllowedError("decide_withdrawn", number=order.number)
    if order.state == Order.State.COMPENSATING:
        return NotAllowedError("decide_being_undone", number=order.number)
    return why_erased([order]).get(order.pk) if order.undo_since else None


def why_not_count(order: Order, result: str) -> NotAllowedError | None:
    if order.decision == result:
        return NotAllowedError(COUNTS[result], number=order.number)
    if result == Order.Decision.PASS and order.state == Order.State.REJECTED:
        why = why_not_open(order, claims_against([order]), rejected=True)
        return why and NotAllowedError("decide_not_opened", number=order.number, why=why)
    return None


def _result(order: Order, record: str) -> str:
    if record in WORDS:
        return record
    found = _record(order, record)
    if found is None:
        raise NotAllowedError("no_approval_record", number=order.number, record=record)
    return found.result


def _record(order: Order, record: str) -> ApprovalRecord | None:
    return order.approvals.filter(record_id=record, finished=True).first()


def _act(order: Order, record: ApprovalRecord, *, by: str, now: datetime.datetime) -> None:
    if order.undo_since:
        opens = record.result == Order.Decision.PASS and order.state == Order.State.REJECTED
        set_decision(order, record.result, at=now)
        order.save(update_fields=["decision", "decided_at"])
        if opens:
            open_again(order, now=now, by=by)
        return
    process = bpm_acts(order).first()
    if process:
        begun = settle_process(process, now)
        end_settled([order], now=now, by=by)
        if begun:
            process.order = order
            tell_accepted([process], now=now)
    if record.result == Order.Decision.PASS and order.undo_asked_at and not order.withdrawal_idh:
        end_question(order, now=now, by=by)
    apply_decision(order, record, by=by, now=now)
