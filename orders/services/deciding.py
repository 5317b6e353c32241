"""Staff choose which decision of BPM counts (contract 3.6, 5 `decide`)."""

import datetime
import uuid

from django.db import transaction

from approvals.models import ApprovalRecord
from approvals.services import add_record
from orders.db.canonical import content_hash
from orders.errors import NotAllowedError, check_reason
from orders.models import Order
from orders.services.approvals import apply_decision, settle_process
from orders.services.compensation.late import end_question
from orders.services.events import add_event
from orders.services.incidents import close_troubles
from orders.services.locking import lock_order
from orders.services.outbox.acts import bpm_acts
from orders.services.reopening import claims_against, open_again, why_not_open
from orders.services.wakeup import wake

Decision, State = Order.Decision, Order.State
WORDS = (Decision.PASS.value, Decision.REJECT.value)


def decide(*, number: str, record: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Makes a finished approval record the one that counts.

    `record` is its recordId. If BPM's record was lost, it is `pass` or `reject`, and that word is stored as a record of
    staff.

    A pass reopens a rejected order. If an order was compensated for another reason, a pass counts only when the order
    is resent. A reject acts like one that arrives now. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "a decision")
    with transaction.atomic():
        order = lock_order(number)
        result = _result(order, record)
        if why := why_not_decide(order, result):
            raise NotAllowedError(why)
        counts = _record(order, record) or _enter(order, record, reason.strip(), by, now)
        add_event(
            order, "decided", by=by, now=now, record=counts.record_id, result=result, reason=reason.strip(),
            before=order.decision,
        )  # fmt: skip
        close_troubles(order, step="approval", now=now, by=by)
        _act(order, counts, by=by, now=now)
        wake()
    return order


def why_not_decide(order: Order, result: str) -> str:
    """Why staff can't make this result count; empty if they can. The order is locked, or the caller only reads."""
    if order.kind != Order.Kind.ACTIVATION:
        return f"order {order.number} is a {order.kind}; BPM decides about activations only"
    if order.state == State.WITHDRAWN or (order.withdrawal_idh and order.undo_since):
        return f"order {order.number} is withdrawn"
    if order.state == State.COMPENSATING:
        return f"order {order.number} is being undone; wait until that has ended"
    if order.decision == result:
        return f"a {result} counts for order {order.number} already"
    if result == Decision.PASS and order.state == State.REJECTED:
        why = why_not_open(order, claims_against([order]), rejected=True)
        return why and f"order {order.number}: {why}"
    return ""


def _result(order: Order, record: str) -> str:
    if record in WORDS:
        return record
    found = _record(order, record)
    if found is None:
        raise NotAllowedError(f"order {order.number} has no finished approval record {record!r}")
    return found.result


def _record(order: Order, record: str) -> ApprovalRecord | None:
    return order.approvals.filter(record_id=record, finished=True).first()


def _enter(order: Order, word: str, reason: str, by: str, now: datetime.datetime) -> ApprovalRecord:
    """Stores the word as a record of the approval history."""
    fields = {
        "record_id": f"decide-{uuid.uuid4().hex}", "node": "decide", "node_name": "人工裁定", "result": word,
        "operator": by, "opinion": reason, "finished": True, "source": ApprovalRecord.Source.STAFF,
    }  # fmt: skip
    digest = content_hash(fields | {"code": order.number, "time": now.isoformat()})
    return add_record(order_id=order.pk, time=now, now=now, body_hash=digest, **fields)[0]


def _act(order: Order, record: ApprovalRecord, *, by: str, now: datetime.datetime) -> None:
    if order.undo_since:
        opens = record.result == Decision.PASS and order.state == State.REJECTED
        order.decision, order.decided_at = record.result, now
        order.save(update_fields=["decision", "decided_at"])
        if opens:
            open_again(order, now=now, by=by)
        return
    process = bpm_acts(order).first()
    if process:
        settle_process(process, now)
        close_troubles(order, step=process.step, now=now, by=by)
    if record.result == Decision.PASS and order.undo_asked_at and not order.withdrawal_idh:
        end_question(order, now=now, by=by)
    apply_decision(order, record, by=by, now=now)
