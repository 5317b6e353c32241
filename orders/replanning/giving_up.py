"""Lets staff give up a billing step that failed for good (contract 3.9, A way out of everything; 5 `give_up`).

The step becomes `given_up`. If the effect of the step is unknown, the big-data side is queried at once and after ten
minutes, and later steps wait for the second answer. Then the step's records take the partner's state, and waiting
orders that have not started are planned again.
"""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.books.books import HeldRecord
from orders.books.expected_records import note_not_meant
from orders.books.held_records import TAKEN, by_identity, identity, owner, take_record
from orders.db.compiled_sql import Prepared, Slot, update_rows
from orders.history.order_locks_and_events import add_event, load_records, lock_order, lock_orders, refresh_states
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, BOOKS_ONLY
from orders.incidents.incidents import close_troubles, end_settled, open_incident
from orders.intake.facts import open_claim
from orders.intake.replan_held_orders import settle_followers
from orders.models import NOTES, PUTS_BACK, BillingRecord, Dispatch, Order, asks_about, question_about
from orders.models.dispatch import OPEN_STATES
from orders.outbox.billing_effects import MAY_ACT, late_calls, may_act_until
from orders.outbox.enqueue import build_questions, enqueue, wake
from orders.outbox.record_selection import LEFT, select_records
from orders.outbox.release_steps import release
from orders.replanning.replan_line import lock_line, open_dependency_incident, plan_behind
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import FIXES, STEPS, Phase, Step, named
from orders.rules.trial_shape import Shape, after, effective_part, fold, is_same
from orders.texts.errors import NotAllowedError, check_reason
from orders.trials.trial_state_reads import begun_shape, entries_of, is_meant, meant_of, not_begun, said_by
from orders.trials.trial_state_writes import end_trial, refresh_trial, reshape
from orders.undoing.claim_release import WAITS_FOR_CLAIM, release_claim
from orders.undoing.finish import finish_undo
from orders.undoing.start import begin_undo
from orders.undoing.undo_steps import build_restore_steps

# if a step that leads to one of these states is given up, records may still be billed
NOT_BILLED = {
    BillingRecord.State.CANCELLED,
    BillingRecord.State.DELETED,
}
ENDED_STEPS = [Dispatch.State.DONE, Dispatch.State.GIVEN_UP, Dispatch.State.CLOSED, Dispatch.State.UNDONE]
PUT_BACK = Phase.UNDO - 100  # position of restore steps of a given-up change: after the plan, before undo steps


def give_up(*, number: str, step: str = "", reason: str, by: str, now: datetime.datetime) -> Order:
    """Gives up the order's failed billing steps, or only the failed steps named `step`.

    Raises OrderUnknownError, and NotAllowedError if no step has failed for good, if the failed step has another way
    out, or if the reason is blank.
    """
    check_reason(reason, "giving up")
    with transaction.atomic():
        order = lock_order(number)
        rows = steps_to_give_up(order, step)
        for row in rows:
            row.order = order
            add_event(order, "given_up", by=by, now=now, step=row.step, reason=reason.strip())
            Dispatch.objects.filter(pk=row.pk).update(state=Dispatch.State.GIVEN_UP, next_try_at=None)
            row.state = Dispatch.State.GIVEN_UP
            _take_in_rest(row)
            if row.repeat:
                close_troubles(order, step=row.step, now=now, by=by, but=BOOKS_ONLY)
            elif (until := _may_act_until(row, now)) or row.may_have_acted:
                _put_questions(row, until, now)
            else:
                settle_given_up_step(row, None, now=now, by=by)
        _let_go_on(order, now=now, by=by)
        wake()
    return order


def _take_in_rest(row: Dispatch) -> None:
    """Adds the records in `rest` to the step. The further parts of the step are given up with it."""
    if (rest := row.rest) and row.carried_in == "records":
        row.records, row.size, row.rest = [*row.records, *rest], row.size + len(rest), []
        row.save(update_fields=["records", "size", *NOTES])


def steps_to_give_up(order: Order, step: str = "") -> list[Dispatch]:
    """Returns the failed steps that `give_up` would end. Raises NotAllowedError with the reason if there are none."""
    rows = order.dispatches.current().filter(state=Dispatch.State.FAILED).order_by("position", "pk").defer("payload")
    if why := why_not_give_up(order, rows, step):
        raise why
    return [row for row in rows if _is_given_up(order, row, step)]


def why_not_give_up(order: Order, rows: Iterable[Dispatch], step: str = "") -> NotAllowedError | None:
    """Returns the error if the order has no step (of this name) to give up, otherwise None. `rows` are the order's
    current steps."""
    if any(_is_given_up(order, row, step) for row in rows):
        return None
    if step:
        return NotAllowedError("step_not_failed", step=step, number=order.number, state=order.state)
    return NotAllowedError("nothing_to_give_up", number=order.number, state=order.state)


def _is_given_up(order: Order, row: Dispatch, step: str) -> bool:
    """Returns True if `give_up` ends this step: it has failed and has no other way out.

    A query can't be given up, since only its answer shows the effect of a step. A forward step can't be given up while
    its order is being undone: the step blocks nothing, and the undoing restores the trial's records.
    """
    own_way = row.channel != Dispatch.Channel.BILLING or row.step == Step.ASK_BILLING
    own_way |= row.step in {Step.CREATE_BILLING, Step.MOVE_START} and not row.undo or row.step == Step.MOVE_ATTRIBUTION
    own_way |= order.undo_since is not None and not row.undo and not STEPS[row.step].fix
    named = row.step == step if step else row.step not in FIXES
    return row.state == Dispatch.State.FAILED and (row.repeat or not own_way) and named


def _may_act_until(row: Dispatch, now: datetime.datetime) -> datetime.datetime | None:
    """Returns the time after which no call, including the step's own call, can change the step's records. Returns None
    if no call can change the records now."""
    calls = late_calls(orders=[row.order_id], serial_trial_ids=[row.lane] if row.lane else [], now=now)
    until = may_act_until(call for call in calls if call.pk == row.pk or call.is_about(row))
    return until or (now + MAY_ACT if row.may_have_acted and row.unanswered_at is None else None)


def _put_questions(row: Dispatch, last: datetime.datetime | None, now: datetime.datetime) -> None:
    """Enqueues two queries in the step's place: one for now, and one for the time `last`, after which no call can act
    any more. If `last` is None, enqueues only the first."""
    first = BillingRecord.objects.filter(pk__in=row.records[:1]).select_related("order").first()
    job = first.order.number if first else row.order.number  # the records may be its trial's
    enqueue(build_questions(row, question_about("for", row.pk, job=job), again=last, now=now))


def answer_given_up(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Processes the answer to a query about a given-up step. The step's order and trial must be locked. Only the last
    query settles the step."""
    step = Dispatch.objects.defer("payload").get(pk=row.asked_step)
    step.order = row.order
    if row.is_last and step.state == Dispatch.State.GIVEN_UP and not step.settled:
        first = Dispatch.objects.current().filter(asks_about("for", step.pk), order=row.order, step=Step.ASK_BILLING)
        first.filter(state=Dispatch.State.FAILED).update(superseded=True)
        settle_given_up_step(step, held, now=now, by=by)
        _let_go_on(row.order, now=now, by=by)


def settle_given_up_step(row: Dispatch, held: list[HeldRecord] | None, *, now: datetime.datetime, by: str) -> None:
    """Settles records, order and trial of a given-up step. `held`: the partner's records, or None if the step has not
    acted."""
    order = row.order
    close_troubles(order, step=row.step, now=now, by=by)
    row.settled = True
    row.save(update_fields=NOTES)
    records = _set_as_held(row, held)
    if STEPS[row.step].fix:
        return
    if row.step == Step.RESTORE_TRIAL:
        _settle_restore(row, now=now, by=by)
    elif row.undo and STEPS[row.step].record_state_after in NOT_BILLED:
        _settle_removal(row, records, now=now, by=by)
    elif row.step == Step.CANCEL_TRIAL and order.kind == Order.Kind.ACTIVATION:
        if any(record.state in BillingRecord.THERE for record in records):
            _open_billed_incident(row, now)
        else:
            _mark_done(row, now)
            refresh_trial(order.trial, now=now, by=by)
    else:
        settle_given_up_orders([row], now=now, by=by)


def settle_given_up_orders(rows: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Settles the (locked) orders of given-up steps, once all steps of an order have ended. Completed parts of an order
    remain in effect."""
    for order in {row.order_id: row.order for row in rows}.values():
        steps = order.dispatches.current().filter(plan=order.plans, channel=Dispatch.Channel.BILLING, undo=False)
        if order.undo_since or order.kind == Order.Kind.ACTIVATION or steps.exclude(state__in=ENDED_STEPS).exists():
            continue
        trial = order.trial or order
        lock_line(trial)
        creates = steps.filter(step=Step.CREATE_TRIAL, state=Dispatch.State.GIVEN_UP)
        if order.kind == Order.Kind.TRIAL and not creates.exists():
            # the post of the trial's moved end was given up: the moved end stays, so records with another end differ
            order.given_up = order.given_up or {"domains": []}
            order.save(update_fields=["given_up"])
            note_not_meant(order, now=now, by=by)
            continue
        moved = _settle_change(order, now, by) if order.kind == Order.Kind.CHANGE else _settle_trial(order, now, by)
        plan_behind(trial, moved=moved, now=now, by=by)
        open_dependency_incident(order, now=now, by=by)


def _settle_trial(trial: Order, now: datetime.datetime, by: str) -> bool:
    """Excludes domains without an existing record from the trial's shape."""
    there = {domain for service, domain in _last_days(trial) if service == trial.service_type_id}
    trial.given_up = {"domains": sorted(set(trial.domains.values_list("key", flat=True)) - there)}
    trial.save(update_fields=["given_up"])
    reshape(trial, now=now, by=by)
    return False


def _settle_change(change: Order, now: datetime.datetime, by: str) -> bool:
    """Reduces a change to the part that took effect. A change without effect is withdrawn. An end or service that
    changed for only some domains is restored once. Records with another end than the old or the new one are left
    unchanged. Returns True if something is undone or restored."""
    trial, change.given_up = change.trial, None
    said = said_by(change, change.domains.values_list("name", flat=True), change.change_number)
    entries = entries_of([trial.pk], without=not_begun(trial))[trial.pk]
    before = fold(entry for entry in entries if entry.number < said.number)
    done = effective_part(before, said, _last_days(trial))
    odd = _records_of_neither_shape(change, before, after(before, said))
    if is_same(before, after(before, done)):
        begin_undo(change, ending=Order.State.WITHDRAWN, why="given up", by=by, now=now, but=odd)
        finish_undo(change, now=now, by=by)
        return True
    change.given_up = {
        "domains": sorted(done.not_done),
        "service": said.service != done.service,
        "end": said.end != done.end,
    }
    change.save(update_fields=["given_up"])
    reshape(trial, now=now, by=by)
    but = [*odd, *_note_replaced_service(change, now)]
    put_back_once = change.dispatches.current().filter(PUTS_BACK, plan=change.plans).exists()
    steps = [] if put_back_once else build_restore_steps(change, now, puts_back=True, left_out=but)
    if not any(select_records(step, now=now)[1] for step in steps):
        note_not_meant(trial, now=now, by=by, beside=change)
        return False
    for position, step in enumerate(steps, start=PUT_BACK):
        step.position = position
    enqueue(steps, random_keys=True)
    release(now=now, order_ids=[change.pk], serial_trial_ids=[trial.pk])
    return True


def _last_days(trial: Order) -> dict[tuple[str, str], datetime.date | None]:
    """Returns the last day of each existing record of a trial, by service and domain. The day is None for a record
    without an end."""
    rows = trial.billing_records.filter(state__in=BillingRecord.THERE)
    endless = Shape()
    return {
        (row.product_id, row.domain_key): None
        if endless.fits(row.create_time, row.cancel_time) or row.cancel_time is None
        else row.cancel_time.astimezone(SHANGHAI).date()
        for row in rows
    }


def _records_of_neither_shape(change: Order, before: Shape, whole: Shape) -> list[int]:
    """Returns the live records of given-up steps that end neither as in the old shape nor as in the changed shape."""
    ids = {pk for row in change.dispatches.current().filter(state=Dispatch.State.GIVEN_UP) for pk in row.records}
    rows = BillingRecord.objects.filter(pk__in=ids, state=BillingRecord.State.LIVE)
    return [
        row.pk for row in rows if not any(shape.fits(row.create_time, row.cancel_time) for shape in (before, whole))
    ]


def _note_replaced_service(change: Order, now: datetime.datetime) -> list[int]:
    """Opens an incident if records of a replaced service still exist in addition to the new ones. Returns these
    records."""
    cancel = (
        change.dispatches.current().filter(step=Step.CANCEL_TRIAL, state=Dispatch.State.GIVEN_UP, undo=False).first()
    )
    if cancel is None:
        return []
    shape = begun_shape(change.trial)
    rows = BillingRecord.objects.filter(pk__in=cancel.records, state__in=BillingRecord.THERE)
    left = [row.pk for row in rows if not is_meant(row, shape)]
    if left:
        cancel.order = change
        _open_billed_incident(cancel, now)
    return left


def _set_as_held(row: Dispatch, held: list[HeldRecord] | None) -> list[BillingRecord]:
    """Sets the records to the partner's state. If `held` is None, a create was not carried out, so its records are set
    to deleted."""
    loaded = load_records(row.records)
    records = [loaded[pk] for pk in row.records]
    if held is None:
        if row.step == Step.CREATE_TRIAL:
            for record in records:
                record.state = (
                    BillingRecord.State.DELETED if record.state == BillingRecord.State.TO_SEND else record.state
                )
    else:
        there = by_identity(held)
        for record in records:
            take_record(record, there.get(identity(record, owner(row, record))))
    update_rows(records, TAKEN)
    return records


def _open_billed_incident(row: Dispatch, now: datetime.datetime) -> None:
    """Opens an incident about records that are wrongly billed. The partner's records or `accept` close it."""
    detail, params = (row.error, row.error_params) if row.error else ("given up", {"code": "given_up"})
    named: dict = {"partner": "bigdata", "step": row.step, "code": BILLED_NOT_ACTIVE, "beside": row.order.trial}
    open_incident(row.order, **named, detail=detail, params=params, now=now)


def _settle_removal(row: Dispatch, records: list[BillingRecord], *, now: datetime.datetime, by: str) -> None:
    """Settles a deletion or an undoing cancel. The step is done if the records are gone or should be live again.
    Otherwise an incident is opened. The later undo steps of a change continue even then."""
    if _are_wrongly_billed(row, records, now):
        _open_billed_incident(row, now)
        if row.order.kind == Order.Kind.CHANGE:
            row.blocking = False
            row.save(update_fields=["blocking"])
    else:
        _mark_done(row, now)


def _are_wrongly_billed(row: Dispatch, records: Iterable[BillingRecord], now: datetime.datetime) -> bool:
    """Returns True if one of a step's records exists although it should not."""
    there = [record for record in records if record.state in BillingRecord.THERE]
    if not there or row.lane is None:
        return bool(there)
    trial = row.order.trial or row.order
    meant = meant_of([trial], now=now)[trial.pk]
    return any(not is_meant(record, meant) for record in there)


def _mark_done(row: Dispatch, now: datetime.datetime) -> None:
    row.state, row.done_at = Dispatch.State.DONE, now
    row.save(update_fields=["state", "done_at"])


def _settle_restore(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Settles a restore step. The step is done if every record matches the trial's shape. Otherwise an activation's
    restore ends the trial and releases the claim. A change's restore then leaves the shape unchanged, and opens an
    incident for the trial and the change."""
    order, trial = row.order, row.order.trial
    if not select_records(row, now=now)[1]:
        _mark_done(row, now)
    elif order.kind == Order.Kind.ACTIVATION:
        claim = open_claim(trial)
        if claim and claim.activation_id == order.pk:
            release_claim(claim, order, ends="not_restored", now=now, by=by)
        else:
            end_trial(trial, why="not_restored", now=now, by=by)
            reshape(trial, now=now, by=by)
    else:
        note_not_meant(trial, now=now, by=by, beside=order)
        if not order.undo_since:
            settle_given_up_orders([row], now=now, by=by)


def given_up_removals(order: Order) -> list[Dispatch]:
    """Returns the order's given-up deletions and cancels that may leave records billed. For a trial, those of its
    activations and changes are included."""
    rows = (REMOVALS_OF_TRIAL if order.kind == Order.Kind.TRIAL else REMOVALS)(order=order.pk)
    return [row for row in rows if row.settled and not row.is_accepted]


def _removals(owner: Q) -> QuerySet[Dispatch]:
    ends = [name for state in NOT_BILLED for name in named(record_state_after=state)]
    rows = Dispatch.objects.current().filter(owner, state=Dispatch.State.GIVEN_UP, step__in=ends)
    return rows.select_related("order__trial").defer("payload").order_by("pk")


REMOVALS = Prepared(lambda: _removals(Q(order=Slot("order"), lane=None)))
REMOVALS_OF_TRIAL = Prepared(lambda: _removals(Q(order=Slot("order")) | Q(lane=Slot("order"))))


def complete_confirmed_removals(order: Order, *, now: datetime.datetime, by: str, beside: Order | None = None) -> bool:
    """Marks given-up removals of an order as done if their records are gone by now, or should be live again.

    The order and its trial must be locked. Closes the incidents and lets waiting orders continue. Returns True if a
    removal was marked. `beside`: another locked order of the trial, which the caller continues to use.
    """
    settled = []
    for row in given_up_removals(order):
        if _are_wrongly_billed(row, BillingRecord.objects.filter(pk__in=row.records), now):
            continue
        _mark_done(row, now)
        add_event(row.order, "books_show_gone", by=by, now=now, step=row.step)
        close_troubles(row.order, step=row.step, code=BILLED_NOT_ACTIVE, now=now, by=by)
        settled.append(row)
    if settled:
        orders = lock_orders({pk for row in settled for pk in (row.order_id, row.order.trial_id) if pk})
        orders |= {one.pk: one for one in (order, beside) if one}  # the caller must see the changes made here
        for row in settled:
            row.order = orders[row.order_id]
            row.order.trial = orders.get(row.order.trial_id)
            if row.step == Step.CANCEL_TRIAL and not row.undo and row.order.trial:
                refresh_trial(row.order.trial, now=now, by=by)
        for owner in {row.order_id: row.order for row in settled}.values():
            _let_go_on(owner, now=now, by=by)
    return bool(settled)


def accept_removals(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Lets an order continue after its removals were given up and staff accepted the remaining records. Releases the
    order's claim."""
    given_up = [row for row in order.dispatches.current().filter(state=Dispatch.State.GIVEN_UP) if row.settled]
    for row in given_up:
        if row.undo and STEPS[row.step].record_state_after in NOT_BILLED or row.step == Step.CANCEL_TRIAL:
            row.is_accepted, row.blocking = True, row.blocking and not row.undo
            row.save(update_fields=[*NOTES, "blocking"])
            mark_records_left(row.records)
    close_troubles(order, code=BILLED_NOT_ACTIVE, now=now, by=by)
    claim = open_claim(order.trial)
    if claim and claim.activation_id == order.pk and order.undo_since:
        waiting = order.dispatches.current().filter(
            step=Step.RESTORE_TRIAL, state__in=[Dispatch.State.WAITING, *OPEN_STATES]
        )
        waiting.filter(attempts=0).update(state=Dispatch.State.GIVEN_UP, next_try_at=None)
        release_claim(claim, order, ends="not_restored", now=now, by=by)
        _cancel_what_runs_on(order, now)
    _let_go_on(order, now=now, by=by)


def _cancel_what_runs_on(order: Order, now: datetime.datetime) -> None:
    """Plans the cancel of the trial's records that should no longer be live, unless there are none."""
    cancel = build_restore_steps(order, now)[0]
    if select_records(cancel, now=now)[1]:
        cancel.undo, cancel.position = True, Phase.AFTER - 1
        enqueue([cancel], random_keys=True)


def mark_records_left(records: Iterable[int]) -> None:
    """Marks records that staff left unchanged, although they differ from the orders. A later step of ours removes the
    mark."""
    rows = list(BillingRecord.objects.filter(pk__in=list(records)))
    for row in rows:
        row.accepted = row.accepted | {LEFT: True}
    update_rows(rows, ["accepted"])


def _let_go_on(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Releases the waiting steps of the order and of the trial's line, and plans the held orders again."""
    trial = order.trial or order
    release(now=now, order_ids=[order.pk], serial_trial_ids=[trial.pk])
    finish_undo(order, now=now, by=by)
    refresh_states([order], now=now, by=by)
    end_settled([order], now=now, by=by)
    if trial.pk == order.pk or order.kind == Order.Kind.CHANGE:
        settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
