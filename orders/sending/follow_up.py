"""What follows when steps have ended: incidents, holds, compensation, the next steps (contract 3.5, 3.9)."""

import datetime
from collections.abc import Collection, Iterable

from django.db.models import Exists, OuterRef

from orders.attachments.files import end_files_hold, hold_for_files
from orders.books.differences import note_fixed
from orders.books.meant import note_not_meant
from orders.bpm.approvals import apply_early_decisions
from orders.db.compiled_sql import Prepared, ask_together
from orders.db.expressions import OneOf
from orders.history.order_writes import add_event, lock_orders, refresh_states
from orders.incidents.incidents import (
    BILLED_NOT_ACTIVE,
    BOOKS_ONLY,
    close_troubles,
    end_settled,
    lock_incidents,
    open_incident,
)
from orders.mails.mails import tell_accepted
from orders.models import AffectedOrder, Attempt, BillingRecord, Dispatch, Order
from orders.models.querysets import STOPPED_BY
from orders.outbox.effects import LateCall, as_late_calls, ask_for_late_calls, takes_back
from orders.outbox.enqueue import enqueue_next_parts
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS, LOOK_UP, RESTORED, Outcome
from orders.outbox.release import release
from orders.replanning.giving_up import apply_answer, close_removals, settle_given_up_orders
from orders.replanning.looks import LOOKED, look_after
from orders.rules.steps import REST, STEPS
from orders.start_day.move_answers import answer_move, answer_start, follow_move
from orders.trials.shape import convert_trials
from orders.undoing.finish import finish_undo, note_undone
from orders.undoing.start import begin_undo

State, Step, Channel = Dispatch.State, Dispatch.Step, Dispatch.Channel
OVER = {State.DONE, State.CLOSED}
ENDED = {*OVER, State.FAILED}
GIVEN_UP = Prepared(
    lambda: (
        Dispatch.objects.current()
        .filter(OneOf("order_id", "orders"), state=State.GIVEN_UP, undo=False)
        .order_by()
        .values_list("order_id")
    )
)
TROUBLES = Prepared(
    lambda: (
        AffectedOrder.objects.unresolved()
        .filter(OneOf("order_id", "orders"))
        .order_by()
        .values_list("order_id", STOPPED_BY, "incident__partner", "incident__code")
    )
)
FAILED_CREATIONS = Dispatch.objects.current().filter(
    order_id=OuterRef("order_id"), step=Step.CREATE_TRIAL, state=State.FAILED
)
EXPLAINED = Prepared(
    lambda: (
        AffectedOrder.objects.unresolved()
        .filter(
            OneOf("order_id", "trials") | OneOf("order__trial_id", "trials"),
            incident__step=Step.CREATE_TRIAL,
            incident__code=ACTED_BEFORE,
        )
        .exclude(Exists(FAILED_CREATIONS))  # their own incident says why they failed
        .order_by("-order_id")
        .values_list("order_id")
    )
)  # the creations of trials and changes whose records stood cancelled, since an order that cancelled them was lost
ANSWERS = {"move": answer_move, "start_of": answer_start}  # to questions about a start, by what stands in `about`
NOT_COMPENSATED = {"lost", ACTED_BEFORE, LOOK_UP, RESTORED} | DOUBTS  # the partner has not refused the order


def move_on(rows: Collection[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> int:
    """Acts on steps that ended (orders and trials locked), by the step's kind. Returns how many became due by it."""
    orders = {row.order_id: row.order for row in rows}
    done = [row for row in rows if row.state == State.DONE]
    enqueue_next_parts(done, now=now)
    ended_whole = [row for row in done if not row.about.get(REST)]
    troubled, late = _troubled(rows, done, now)
    for row in rows:
        if outcomes[row.pk].result == Attempt.Outcome.HELD:
            hold_for_files(row, outcomes[row.pk], now=now, by=by)
        elif row.step == Step.MOVE_START and not row.repeat:
            follow_move(row, now=now, by=by)
        elif row.state == State.FAILED:
            _note_failure(row, now, by)
    _end_troubles(done, troubled, now, by)
    # Holds are written first, since planning others anew below reads the orders again.
    if checked := [row.order for row in rows if row.channel == Channel.FILES]:
        refresh_states(checked, now=now, by=by)
    if fixes := [row for row in ended_whole if STEPS[row.step].fix]:
        note_fixed(fixes, by=by, now=now)
    _note_acted_before(done, outcomes, now, by)
    tell_accepted(ended_whole, now=now)
    if begun := [row.order for row in done if row.step == Step.START_BPM and not row.repeat]:
        apply_early_decisions(begun, now=now)
    answers = [row for row in done if row.step == Step.ASK_BILLING]
    for row in answers:
        answer = next((ANSWERS[name] for name in ANSWERS if name in row.about), apply_answer)
        answer(row, outcomes[row.pk].data["held"], now=now, by=by)
    ended = [row for row in rows if row.state in ENDED]
    lanes = {row.lane for row in ended if row.lane}
    touched = {row.order_id for row in ended}
    if undone := [row for row in done if row.undo]:
        note_undone(undone, now=now)
    cancels = [row for row in ended_whole if row.step == Step.CANCEL_TRIAL and not row.undo]
    taken = [row.order.trial for row in cancels if _is_activation(row)]
    if taken:
        convert_trials({trial.pk: trial for trial in taken}, now=now, by=by)
    look_after(done, late, now=now)
    settled = _settle_books(rows, troubled, now, by)
    if beside := _beside_given_up(done):
        settle_given_up_orders(beside, now=now, by=by)
    if beside or answers or settled:  # others were planned anew, so what was read is out of date
        orders = lock_orders({pk for order in orders.values() for pk in (order.pk, order.trial_id) if pk})
    released = release(now=now, order_ids=touched, lanes=lanes) if touched else 0
    for order in orders.values():
        if order.undo_since:
            finish_undo(order, now=now, by=by)
    refresh_states(orders.values(), now=now, by=by)
    over = {row.order_id for row in rows if row.state in OVER} & {order for order, _ in troubled}
    if over:
        end_settled([orders[pk] for pk in over], now=now, by=by)
    return released


def _beside_given_up(done: Iterable[Dispatch]) -> list[Dispatch]:
    """The last done step of each order in a trial's line that has a given-up step as well."""
    ended = {row.order_id: row for row in done if row.lane and not row.undo and row.step != Step.ASK_BILLING}
    if not ended:
        return []
    return [ended[pk] for pk in set(GIVEN_UP(orders=ended))]


def _is_activation(row: Dispatch) -> bool:
    return row.order.kind == Order.Kind.ACTIVATION


def _settle_books(rows: Iterable[Dispatch], troubled: set[tuple[int, str]], now: datetime.datetime, by: str) -> bool:
    """Ends what the books of a trial show to be over, after a step on its records, and names what is still not as meant
    after one that takes something back. Returns whether orders were moved."""
    named = {order for order, _ in troubled}
    moved = False
    for row in rows:
        trial = row.order.trial or row.order
        if row.repeat or row.state not in ENDED or row.step == Step.ASK_BILLING:
            continue
        if row.lane is None:  # commercial records: a fix alone shows of another step's that they are gone
            if STEPS[row.step].fix and row.order_id in named:
                moved |= close_removals(row.order, now=now, by=by)
            continue
        if row.state == State.DONE and row.about.get(REST):
            continue  # its next part is under way
        moves = takes_back(row) or row.error_code == ACTED_BEFORE
        if moves or trial.pk in named:
            moved |= close_removals(trial, now=now, by=by)
            note_not_meant(trial, now=now, by=by, opens=moves)
    return moved


def _note_failure(row: Dispatch, now: datetime.datetime, by: str) -> None:
    """Opens an incident, and compensates if the contract says so; of an order being undone, only for billing calls."""
    if row.order.undo_since and STEPS[row.step].moot:
        return
    _open_incident_of(row, row.error_code, now, names_trial=_names_trial(row))
    if _is_compensated(row) and not row.order.undo_since:
        begin_undo(row.order, ending=Order.State.FAILED, why=f"{row.step}: {row.error_code}", by=by, now=now)


def _open_incident_of(row: Dispatch, code: str, now: datetime.datetime, *, names_trial: bool) -> None:
    cause: dict = {"partner": STEPS[row.step].partner, "step": row.step, "code": code}
    beside = row.order.trial if names_trial else None
    open_incident(row.order, **cause, detail=row.error, params=row.error_params, now=now, beside=beside)


def _names_trial(row: Dispatch) -> bool:
    """Whether a failed step leaves a trial's records other than they are meant: not one that is compensated."""
    return row.lane is not None and not row.repeat and not _is_compensated(row)


def _is_compensated(row: Dispatch) -> bool:
    """Whether the failure of a step undoes its order (contract 3.9, Compensation's reach)."""
    reached = _is_activation(row) and STEPS[row.step].compensated and row.gate != Dispatch.Gate.START
    reached &= not row.undo and not row.repeat and row.error_code not in NOT_COMPENSATED
    return reached and LOOKED not in row.about


def _note_acted_before(done: list[Dispatch], outcomes: dict[int, Outcome], now: datetime.datetime, by: str) -> None:
    """Notes steps that the partner had carried out before, with other bytes (contract 3.5, 409).

    If its records are as we mean them, there is only an event. A process that we know nothing about, and a trial that
    somebody else cancelled, get an incident.
    """
    for row in done:
        if outcomes[row.pk].result != Attempt.Outcome.ACTED_BEFORE:
            continue
        add_event(row.order, ACTED_BEFORE, by=by, now=now, step=row.step)
        if row.channel != Channel.BILLING or (row.step == Step.CREATE_TRIAL and _was_cancelled(row)):
            _open_incident_of(row, ACTED_BEFORE, now, names_trial=row.lane is not None)
    cancelled = {row.order.trial_id: row.order.trial for row in done if row.step == Step.CANCEL_TRIAL}
    cancelled.pop(None, None)
    for pk in EXPLAINED(trials=cancelled) if cancelled else ():
        order = Order.objects.defer("content").get(pk=pk)
        order.trial = cancelled.get(order.trial_id)
        close_troubles(order, step=Step.CREATE_TRIAL, code=ACTED_BEFORE, now=now, by=by)


def _was_cancelled(row: Dispatch) -> bool:
    cancelled = BillingRecord.objects.filter(pk__in=row.records[:1000], state=BillingRecord.State.CANCELLED)
    return cancelled.exists()


def _troubled(
    rows: Iterable[Dispatch], done: list[Dispatch], now: datetime.datetime
) -> tuple[set[tuple[int, str]], list[LateCall]]:
    """The orders and steps that an incident stops, and those that failed now; and the calls that may still act on what
    is done (contract 3.9, Unknown), asked with them to save a round trip.

    Locks all incidents that are opened or closed for them at once: with one lock after the other, two batches could
    wait for each other."""
    lanes = {row.lane for row in done if row.lane}
    orders = {row.order_id for row in done} | lanes
    over = {row.order_id for row in rows if row.state in OVER} | lanes
    found, late = [], []
    if done:
        found, late = ask_together(
            (TROUBLES, {"orders": over}), ask_for_late_calls(orders=orders, lanes=lanes, now=now)
        )
    elif over:
        found = TROUBLES(orders=over)
    failed = [row for row in rows if row.state == State.FAILED or row.channel == Channel.FILES]
    moves = [row for row in rows if row.step == Step.MOVE_START or ANSWERS.keys() & row.about]
    stopping = {(STEPS[row.step].partner, "") for row in [*failed, *moves]}
    causes = {(partner, code) for *_, partner, code in found} | stopping
    if causes:
        lock_incidents(causes)
    return {(order, step) for order, step, *_ in found} | {(row.order_id, row.step) for row in failed}, as_late_calls(
        late
    )


def _end_troubles(done: list[Dispatch], troubled: set[tuple[int, str]], now: datetime.datetime, by: str) -> None:
    """Closes the troubles of steps that are done now, and ends the hold for files."""
    for row in done:
        if row.step == Step.CHECK_FILES:
            end_files_hold(row.order)
    for row in done:
        if (row.order_id, row.step) in troubled:
            stay = BOOKS_ONLY if row.channel != Channel.BILLING else BOOKS_ONLY - {ACTED_BEFORE, BILLED_NOT_ACTIVE}
            close_troubles(row.order, step=row.step, now=now, by=by, but=stay)
