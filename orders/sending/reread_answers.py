"""Reads kept answers again by the current rules, before anything is sent or counts as refused (contract 7.2)."""

import datetime
from dataclasses import dataclass, replace

from django.db import transaction

from orders.history.order_locks_and_events import add_event, lock_order
from orders.models import Attempt, Dispatch, KeptAnswer, Order
from orders.outbox.outcome import DOUBTS, Outcome
from orders.outbox.proven_calls import START, rules
from orders.pauses.pause_and_resume import Resumed, resume
from orders.rules.steps import STEPS, Effect, Step, call_name, channels_of
from orders.sending.record import record_read_again

MAX_ANSWERS = 1000  # the most answers that are read again
LOOKS = {Effect.ASK, Effect.VERIFY}  # their answers contain rows, not a success


def read_now(row: Dispatch) -> tuple[KeptAnswer | None, str, str]:
    """Returns a step's last kept answer, the answer's meaning by the current rules, and the process that the answer
    contains."""
    kept = KeptAnswer.objects.filter(attempt__dispatch=row).order_by("-pk").first()
    if kept is None or rules.read is None or STEPS[row.step].effect in LOOKS:
        return None, "", ""
    return kept, *rules.read(kept)


@dataclass(frozen=True)
class ReadOtherwise:
    """An answer whose meaning has changed. `was` is the meaning when the answer was stored, `now` is the meaning by the
    current rules."""

    order: str
    call: str
    was: str
    now: str


def read_otherwise() -> list[ReadOtherwise]:
    """Reads again the answers of steps in doubt, and of starts whose orders were undone. Returns the answers whose
    meaning differs by the current rules. Changes nothing: `resume` and `resend` make the changes."""
    doubts = Dispatch.objects.current().filter(state=Dispatch.State.FAILED, error_code__in=DOUBTS, repeat=False)
    doubts = doubts.exclude(step__in=[name for name in STEPS if STEPS[name].effect in LOOKS])
    undone = Dispatch.objects.filter(step=Step.START_BPM, may_have_acted=False, order__undo_since__isnull=False)
    found: dict[int, ReadOtherwise | None] = {}
    for steps, kinds in ((doubts, {}), (undone, {"kind": START})):
        rows = KeptAnswer.objects.filter(attempt__dispatch__in=steps, **kinds).select_related("attempt")
        for row in rows.order_by("-pk")[:MAX_ANSWERS] if rules.read else ():
            meaning, _process = rules.read(row)
            said = ReadOtherwise(row.order, row.call, row.read, meaning) if meaning != row.read else None
            found.setdefault(row.attempt.dispatch_id, said)  # the last answer of a step counts
    return [row for row in found.values() if row]


def ends_by_reading(row: Dispatch) -> bool:
    """Returns True if a failed step in doubt is done by the current meaning of its kept answer."""
    return row.state == Dispatch.State.FAILED and row.error_code in DOUBTS and _settles(row, read_now(row)[1])


def _settles(row: Dispatch, meaning: str) -> bool:
    """Returns True if this meaning completes the step. A success completes any step, and the answer "repeated"
    completes a BPM start. A repeated billing step is sent, since the partner's records must be queried."""
    return meaning == "success" or (meaning == "repeated" and row.step == Step.START_BPM)


def end_by_reading(row: Dispatch, *, now: datetime.datetime, by: str) -> bool:
    """Completes a failed step by its kept answer, without a call. The answer also proves the kind of the step. The
    order and trial must be locked. Returns True if the step was completed."""
    kept, meaning, process = read_now(row)
    if kept is None or row.state != Dispatch.State.FAILED or not _settles(row, meaning):
        return False
    call = call_name(row.step, posted=row.posted)
    outcome = Outcome(
        dispatch_id=row.pk,
        attempt_id=kept.pk,
        token=row.key,
        channel=row.channel,
        result=Attempt.Outcome.OK if meaning == "success" else Attempt.Outcome.ACTED_BEFORE,
        data={"process": process},
        read=meaning,
        rules=rules.hash_of(call) if rules.hash_of else "",
    )
    add_event(row.order, "read_again", by=by, now=now, step=row.step, read=meaning)
    record_read_again(row, outcome, now=now, by=by)
    return True


def resume_partner(*, partner: str, by: str, now: datetime.datetime) -> Resumed:
    """Resumes a partner's calls, and then reads its kept answers again (`Resumed.read`). Raises NotAllowedError."""
    found = resume(partner=partner, by=by, now=now)
    return replace(found, read=read_partner_again(partner, by=by, now=now))


def read_partner_again(partner: str, *, by: str, now: datetime.datetime) -> list[str]:
    """Completes the partner's steps in doubt whose kept answers are a success by the current rules. Each step is
    completed in its own transaction. Returns the numbers of the steps' orders."""
    rows = Dispatch.objects.current().filter(state=Dispatch.State.FAILED, error_code__in=DOUBTS, repeat=False)
    rows = rows.filter(channel__in=channels_of(partner)).order_by("pk")
    found = []
    for number, pk in list(rows.values_list("order__number", "pk")):
        with transaction.atomic():
            order = lock_order(number)
            row = rows.filter(pk=pk).first()
            if row is not None:
                row.order = order
                if end_by_reading(row, now=now, by=by):
                    found.append(number)
    return found


def note_begun(order: Order) -> None:
    """Marks the order's BPM starts as possibly carried out if the current rules read their kept answers as accepted.
    Called before the order is reopened. The starts keep their keys, since BPM has the process."""
    for row in order.dispatches.filter(step=Step.START_BPM, attempts__gt=0, may_have_acted=False):
        _kept, meaning, process = read_now(row)
        if _settles(row, meaning):
            Dispatch.objects.filter(pk=row.pk).update(may_have_acted=True)
            if process:
                Order.objects.filter(pk=order.pk, bpm_process="").update(bpm_process=process[:128])
