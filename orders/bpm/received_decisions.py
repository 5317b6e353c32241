"""BPM's decisions and their consequences for the order (contract 3.6, 3.9 Callback before the answer, 3.10)."""

import datetime
import uuid
from collections.abc import Iterable

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from approvals.models import ApprovalRecord
from approvals.services import RecordBodyDiffersError, add_record
from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.erasing.erased_orders import erased_at
from orders.erasing.over_lines import is_over
from orders.history.order_locks_and_events import add_event, lock_order, refresh_states
from orders.history.states import set_decision
from orders.incidents.incidents import close_troubles, end_settled, open_incident
from orders.intake.write_planned_order import take_place
from orders.mails.mail_creation import queue_mail, tell_accepted
from orders.models import Attempt, Dispatch, Order
from orders.outbox.billing_effects import starts_in_doubt
from orders.outbox.enqueue import wake
from orders.outbox.outcome import ACTED_BEFORE, RESTORED
from orders.outbox.release_steps import release
from orders.rules.content import content_hash
from orders.rules.steps import Step
from orders.texts.errors import RecordConflictError
from orders.undoing.finish import finish_undo
from orders.undoing.late import ask_staff, is_late
from orders.undoing.start import begin_undo

NEWEST_ATTEMPT = (
    Attempt.objects.filter(dispatch=OuterRef("pk")).exclude(outcome=Attempt.Outcome.HANDED_BACK).order_by("-pk")
)
FROM_BPM = ApprovalRecord.objects.filter(finished=True, source=ApprovalRecord.Source.BPM)
DECIDED = Prepared(
    lambda: FROM_BPM.filter(OneOf("order_id", "orders")).order_by("order_id").values_list("order_id", flat=True)
)


def receive_approval(
    *,
    number: str,
    record_id: str,
    node: str,
    node_name: str,
    result: str,
    operator: str,
    opinion: str,
    time: datetime.datetime,
    finished: bool,
    body_hash: str,
) -> bool:
    """Stores a record of BPM and acts on the record. Returns True if the record was new.

    Raises OrderUnknownError and RecordConflictError.
    """
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(number)
        if is_over(order) and erased_at(number):
            operator = opinion = ""
        process = _decided_process(order) if finished else None
        key = (process.key if process else ApprovalRecord.NOTHING_SENT) if finished else None
        try:
            record, new = add_record(
                ApprovalRecord(
                    order_id=order.pk,
                    record_id=record_id,
                    node=node,
                    node_name=node_name,
                    result=result,
                    operator=operator,
                    opinion=opinion,
                    time=time,
                    finished=finished,
                    body_hash=body_hash,
                    received_at=now,
                    process_key=key,
                )
            )
        except RecordBodyDiffersError as error:
            raise RecordConflictError("record_conflict", record=record_id) from error
        if new:
            add_event(order, "approval", by="bpm", now=now, record=record_id, result=result, finished=finished)
            close_troubles(order, step=Step.START_BPM, code=ACTED_BEFORE, now=now, by="bpm")
            if not finished and (started := _start_in_doubt(order)):
                _settle_bpm_step(order, started, now)
                release(now=now, order_ids=[order.pk])
                refresh_states([order], now=now, by="bpm")
                wake()
            if finished:
                act_on(order, record, process, now=now)
    return new


def add_staff_record(order: Order, act: str, *, now: datetime.datetime, **fields) -> ApprovalRecord:
    """Adds a decision or waiver of staff to the approval history. The record's id begins with `act`."""
    fields |= {"record_id": f"{act}-{uuid.uuid4().hex}", "source": ApprovalRecord.Source.STAFF}
    digest = content_hash(fields | {"code": order.number, "time": now.isoformat()})
    return add_record(ApprovalRecord(order=order, time=now, received_at=now, body_hash=digest, **fields))[0]


def act_on(order: Order, record: ApprovalRecord, process: Dispatch | None, *, now: datetime.datetime) -> None:
    """Acts on a finished decision: completes the BPM step. The first decision counts."""
    if process:
        Dispatch.objects.filter(pk=process.pk).update(
            may_have_acted=True
        )  # the decision proves that its process exists
    if (order.undo_since and not _is_rejected(order)) or order.kind != Order.Kind.ACTIVATION:
        why = "undone" if order.undo_since else f"BPM was not asked about a {order.kind}"
        add_event(order, "approval_ignored", by="bpm", now=now, record=record.record_id, why=why)
    elif order.decision:
        _note_another(order, record, now)
    elif process is None:
        open_incident(order, partner="bpm", step="approval", code="early", detail=record.record_id, now=now)
    else:
        _settle_bpm_step(order, process, now)
        apply_decisions(order, now=now)


def _attempted(order: Order) -> QuerySet[Dispatch]:
    """Returns the attempted BPM steps, the last one first. The order is by attempt id: a clock may step back."""
    rows = order.dispatches.filter(step=Step.START_BPM, attempts__gt=0, repeat=False)
    return rows.order_by(Coalesce(Subquery(NEWEST_ATTEMPT.values("pk")[:1]), 0).desc(), "-pk")


def _decided_process(order: Order) -> Dispatch | None:
    """Returns the BPM step of a decision. This is the step that was sent last, or a step that is held since a restore
    and that BPM evidently has."""
    held = order.dispatches.current().filter(step=Step.START_BPM, error_code=RESTORED, state=Dispatch.State.FAILED)
    return _attempted(order).first() or held.first()


def _start_in_doubt(order: Order) -> Dispatch | None:
    """Returns a BPM start in doubt. Any callback shows that BPM has the process of this start (contract 7.2)."""
    return starts_in_doubt(order).first() if order.undo_since is None else None


def _is_rejected(order: Order) -> bool:
    """Returns True if the order is undone because of BPM's reject. Returns False after a later withdrawal or
    compensation."""
    return order.decision == Order.Decision.REJECT and Order.State.REJECTED in {order.state, order.undo_to}


def _note_another(order: Order, record: ApprovalRecord, now: datetime.datetime) -> None:
    """Opens an incident for a finished decision after the first one, to be checked by staff."""
    code = "again" if order.decision == record.result else "second"
    open_incident(order, partner="bpm", step="approval", code=code, detail=record.record_id, now=now)


def _settle_bpm_step(order: Order, process: Dispatch, now: datetime.datetime) -> None:
    """Completes the BPM step whatever our call returned, since BPM has the process. Closes the step's replacement."""
    waiting = order.dispatches.current().filter(step=Step.START_BPM, repeat=False, attempts=0)
    other = waiting.exclude(pk=process.pk).exclude(state=Dispatch.State.CLOSED).first()
    if other:
        take_place(process, other)
    if settle_process(process, now):
        add_event(order, "step_done", by="bpm", now=now, step=process.step, why="callback")
        end_settled([order], now=now, by="bpm")
        process.order = order
        tell_accepted([process], now=now)


def settle_process(process: Dispatch, now: datetime.datetime) -> bool:
    """Marks a sent BPM step as done, whatever the answer was. Returns True if it was not done before."""
    begun = Dispatch.objects.filter(pk=process.pk).exclude(state=Dispatch.State.DONE)
    return bool(begun.update(**as_done(now), may_have_acted=True))


def as_done(now: datetime.datetime) -> dict[str, object]:
    """Returns the columns of a step that is done, whatever its last call returned."""
    ended: dict = {
        "state": Dispatch.State.DONE,
        "done_at": now,
        "lease_token": None,
        "next_try_at": None,
        "definite": True,
    }
    return ended | {"error_code": "", "error": "", "error_params": {}}


def counting_records(order: Order) -> list[ApprovalRecord]:
    """Returns BPM's finished decisions about the order's current process, oldest first.

    If the order was sent to BPM under more than one key, only decisions about the process of the last key count
    (contract 3.6). A decision received before anything was sent refers to the first process. Records of older versions
    do not store their process. Such a record counts if it was received after the last key was sent.
    """
    records = FROM_BPM.filter(order=order).order_by("pk")
    keys = list(_attempted(order)[:2])
    if len(keys) == 2:
        last = keys[0]
        records = records.filter(Q(process_key=last.key) | Q(process_key=None, received_at__gte=last.frozen_at))
    return list(records)


def decision_in_force(order: Order) -> str:
    """Returns the effective decision on an order's process: pass, reject or empty. The decision may not be applied
    yet."""
    if order.decision:
        return order.decision
    records = counting_records(order)
    return records[0].result if records else Order.Decision.NONE


def apply_decision(order: Order, record: ApprovalRecord, *, by: str, now: datetime.datetime) -> None:
    set_decision(order, record.result, at=now)
    order.save(update_fields=["decision", "decided_at"])
    if order.decision == Order.Decision.REJECT:
        _reject(order, record, by=by, now=now)
    else:
        release(now=now, order_ids=[order.pk])
        refresh_states([order], now=now, by=by)
    wake()


def _reject(order: Order, record: ApprovalRecord, *, by: str, now: datetime.datetime) -> None:
    """Stops a rejected order and undoes its calls. If the customer has been live for long, staff must decide
    instead."""
    said: dict = {"detail": record.opinion, "operator": record.operator}
    queue_mail(order, Step.MAIL_REJECTED, cause=f"record {record.pk}", now=now, **said)
    if is_late(order, now):
        ask_staff(order, why="rejected", by=by, now=now)
        return
    begin_undo(order, ending=Order.State.REJECTED, why="rejected", by=by, now=now)
    finish_undo(order, now=now, by=by)


def apply_early_decisions(orders: Iterable[Order], *, now: datetime.datetime) -> None:
    """Applies decisions that were received before the (locked) orders' BPM steps were done. Usually there are no such
    decisions."""
    by_id = {order.pk: order for order in orders}
    for pk in dict.fromkeys(DECIDED(orders=by_id)):
        apply_decisions(by_id[pk], now=now)


def apply_decisions(order: Order, *, now: datetime.datetime) -> None:
    """Applies the first finished decision to a (locked) order whose BPM step is done. Later decisions open
    incidents."""
    bpm = order.dispatches.current().filter(step=Step.START_BPM, repeat=False).order_by("-pk").first()
    records = counting_records(order)
    if not records or order.decision or order.undo_since or bpm is None or bpm.state != Dispatch.State.DONE:
        return
    close_troubles(order, step="approval", code="early", now=now, by="bpm")
    apply_decision(order, records[0], by="bpm", now=now)
    for record in records[1:]:
        _note_another(order, record, now)
