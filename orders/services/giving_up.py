"""Staff end a billing step that failed for good (contract 3.9, A way out of everything; 5 `give_up`).

If nobody knows what the step did, the big-data side is asked first, at once and after ten minutes. Steps behind it wait
for the second answer. Then the step is `given_up`, its records are as the partner holds them, and orders that waited
and were never begun are planned anew.
"""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from orders.books import HeldRecord
from orders.db.compiled_sql import update_rows
from orders.errors import NotAllowedError, check_reason
from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.services.after_giving_up import count_what_is_there, keep_what_is_live
from orders.services.compensation.finish import finish_undo, given_up_undoing
from orders.services.compensation.plan import LOOK_AGAIN
from orders.services.holds import settle_followers
from orders.services.incidents import BILLED_NOT_ACTIVE, BOOKS_ONLY, close_troubles, open_incident
from orders.services.order_state import add_event, convert_trials, load_records, lock_order, lock_orders, refresh_states
from orders.services.outbox.enqueue import build_questions, enqueue, wake
from orders.services.outbox.release import release
from orders.services.planning import open_claim
from orders.services.reconciliation.held_records import by_identity, identity, owner, take_record
from orders.services.reopening import plan_behind
from orders.services.trials import WAITS_FOR_CLAIM, release_claim
from orders.steps import FIXES, STEPS, named

State, Step, Kind, Record = Dispatch.State, Dispatch.Step, Order.Kind, BillingRecord.State
NOT_BILLED = {Record.CANCELLED, Record.DELETED}  # if a step that leads to these is given up, somebody may be billed
GIVEN_UP = {"detail": "given up", "params": {"code": "given_up"}}


def give_up(*, number: str, step: str = "", reason: str, by: str, now: datetime.datetime) -> Order:
    """Gives up the order's failed billing steps, or with `step` only the one of that name.

    Raises OrderUnknownError and NotAllowedError (none has failed for good, or it has another way out, or the reason is
    blank).
    """
    check_reason(reason, "giving up")
    with transaction.atomic():
        order = lock_order(number)
        rows = given_up_by(order, step)
        for row in rows:
            row.order = order
            add_event(order, "given_up", by=by, now=now, step=row.step, reason=reason.strip())
            Dispatch.objects.filter(pk=row.pk).update(state=State.GIVEN_UP, next_try_at=None)
            row.state = State.GIVEN_UP
            if row.repeat:
                close_troubles(order, step=row.step, now=now, by=by, but=BOOKS_ONLY)
            elif row.may_have_acted:
                _ask(row, now)
            else:
                settle_given_up(row, None, now=now, by=by)
        _go_on(order, now=now, by=by)
        wake()
    return order


def given_up_by(order: Order, step: str = "") -> list[Dispatch]:
    """The failed steps that `give_up` would end. Raises NotAllowedError with the reason if there are none."""
    rows = order.dispatches.current().filter(state=State.FAILED).order_by("position", "pk").defer("payload")
    if why := why_not_give_up(order, rows, step):
        raise why
    return [row for row in rows if _is_given_up(order, row, step)]


def why_not_give_up(order: Order, rows: Iterable[Dispatch], step: str = "") -> NotAllowedError | None:
    """None if one of the order's steps can be given up, or the one of that name. `rows` are its current steps."""
    if any(_is_given_up(order, row, step) for row in rows):
        return None
    about = {"number": order.number, "state": order.state}
    return (
        NotAllowedError("step_not_failed", step=step, **about)
        if step
        else NotAllowedError("nothing_to_give_up", **about)
    )


def _is_given_up(order: Order, row: Dispatch, step: str) -> bool:
    """Whether `give_up` ends this step: it has failed, and has no other way out.

    A question can't be given up, since without its answer nobody knows what the step did. Nor can a forward step of an
    order that is taken back: it holds up nothing, and its trial's records are live again as they should be.
    """
    own_way = row.channel != Dispatch.Channel.BILLING or row.step == Step.ASK_BILLING
    own_way |= row.step == Step.CREATE_BILLING and not row.undo
    own_way |= order.undo_since is not None and not row.undo and not STEPS[row.step].fix
    named = row.step == step if step else row.step not in FIXES
    return row.state == State.FAILED and (row.repeat or not own_way) and named


def _ask(row: Dispatch, now: datetime.datetime) -> None:
    """Puts two questions in the step's place, for now and for ten minutes later."""
    enqueue(build_questions(row, about={"for": row.pk, "job": _job(row)}, again=now + LOOK_AGAIN, now=now))


def _job(row: Dispatch) -> str:
    """The jobId of the step's records: its order's, or its trial's."""
    first = BillingRecord.objects.filter(pk__in=row.records[:1]).select_related("order").first()
    return first.order.number if first else row.order.number


def answer_question(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Takes the big-data side's answer about a given-up step (its order and trial locked). The second answer counts."""
    if "for" not in row.about:
        return
    step = Dispatch.objects.defer("payload").get(pk=row.about["for"])
    step.order = row.order
    if row.about.get("last") and step.state == State.GIVEN_UP and not step.about.get("settled"):
        first = Dispatch.objects.current().filter(order=row.order, step=Step.ASK_BILLING, about__for=step.pk)
        first.filter(state=State.FAILED).update(superseded=True)
        settle_given_up(step, held, now=now, by=by)
        _go_on(row.order, now=now, by=by)


def settle_given_up(row: Dispatch, held: list[HeldRecord] | None, *, now: datetime.datetime, by: str) -> None:
    """Settles the records, the order and the trial of a given-up step.

    `held` are the partner's records, or None if the partner has certainly not acted.
    """
    order, trial = row.order, row.order.trial or row.order
    close_troubles(order, step=row.step, now=now, by=by)
    row.about = {**row.about, "settled": True}
    row.save(update_fields=["about"])
    records = _take(row, held)
    if STEPS[row.step].fix:
        return
    if row.step == Step.RESTORE_TRIAL:
        _settle_restore(row, records, trial, now=now, by=by)
    elif row.undo and STEPS[row.step].leaves in NOT_BILLED:
        _settle_undoing(row, records, now=now, by=by)
    elif row.step == Step.CANCEL_TRIAL and order.kind == Kind.ACTIVATION:
        if _are_there(records):
            _note_billed(row, now)
    else:
        _conclude(order, row.place or row.pk, now=now, by=by)


def _conclude(order: Order, place: int, *, now: datetime.datetime, by: str) -> None:
    """Settles a trial or change once its last step has ended. Then the orders behind it are planned anew."""
    if count_what_is_there(order, now=now, by=by):
        _note_other_service(order, now)
        plan_behind(order.trial or order, place, now=now, by=by)


def _note_other_service(change: Order, now: datetime.datetime) -> None:
    """Opens an incident if records of the service that a change replaced are still live beside the new ones."""
    if change.kind != Kind.CHANGE or not change.in_effect:
        return
    beside = change.trial.billing_records.filter(state__in=BillingRecord.THERE).exclude(
        product_id=change.service_type_id
    )
    cancel = change.dispatches.current().filter(step=Step.CANCEL_TRIAL, state=State.GIVEN_UP, undo=False).first()
    if cancel and beside.exists():
        cancel.order = change
        _note_billed(cancel, now)


def conclude_given_up(rows: Iterable[Dispatch], *, now: datetime.datetime, by: str) -> None:
    """Settles trials and changes with a given-up step, now that the last of their steps have ended.

    `rows` are these last steps. Their orders and trials are locked.
    """
    for row in rows:
        if row.order.kind != Kind.ACTIVATION:
            _conclude(row.order, row.place or row.pk, now=now, by=by)


def _take(row: Dispatch, held: list[HeldRecord] | None) -> list[BillingRecord]:
    """Sets the records to what the partner holds. A create that was certainly not carried out leaves none."""
    loaded = load_records(row.records)
    records = [loaded[pk] for pk in row.records]
    if held is None:
        if row.step == Step.CREATE_TRIAL:
            for record in records:
                record.state = Record.DELETED if record.state == Record.TO_SEND else record.state
    else:
        there = by_identity(held)
        for record in records:
            take_record(record, there.get(identity(record, owner(row, record))))
    update_rows(records, ["state", "create_time", "cancel_time", "cancelled_at"])
    return records


def _are_there(records: Iterable[BillingRecord]) -> bool:
    return any(record.state in BillingRecord.THERE for record in records)


def _note_billed(row: Dispatch, now: datetime.datetime) -> None:
    """Opens an incident that somebody is billed who should not be. The books or `accept` end it."""
    told = {"detail": row.error, "params": row.error_params} if row.error else GIVEN_UP
    open_incident(row.order, partner="bigdata", step=row.step, code=BILLED_NOT_ACTIVE, now=now, **told)


def _settle_undoing(row: Dispatch, records: list[BillingRecord], *, now: datetime.datetime, by: str) -> None:
    """Settles a deletion or an undoing cancel. It is done if the books show it. Otherwise there is an incident."""
    if _are_there(records):
        _note_billed(row, now)
    else:
        _mark_done(row, now)


def _mark_done(row: Dispatch, now: datetime.datetime) -> None:
    row.state, row.done_at = State.DONE, now
    row.save(update_fields=["state", "done_at"])


def _settle_restore(
    row: Dispatch, records: list[BillingRecord], trial: Order, *, now: datetime.datetime, by: str
) -> None:
    """Settles a restore. It is done if the records are live.

    If not, the trial of a compensated activation has ended, and that of a withdrawn change keeps its live records.
    """
    if records and all(record.state == Record.LIVE for record in records):
        _mark_done(row, now)
    elif row.order.kind == Kind.ACTIVATION:
        claim = TrialClaim.objects.filter(activation=row.order, released_at=None).first()
        if claim:
            release_claim(claim, row.order, ended_now=True, now=now, by=by)
    else:
        keep_what_is_live(trial, now=now, by=by)


def billed_still(order: Order) -> list[Dispatch]:
    """Given-up deletions and cancels of an order's records that leave somebody billed.

    They are the order's own, and for a trial those of its activations and changes too.
    """
    owners = Q(order=order) | Q(lane=order.pk) if order.kind == Kind.TRIAL else Q(order=order, lane=None)
    rows = Dispatch.objects.current().filter(owners, state=State.GIVEN_UP, blocking=True)
    ends = [name for state in NOT_BILLED for name in named(leaves=state)]
    rows = rows.filter(step__in=ends).select_related("order__trial").defer("payload")
    return [row for row in rows.order_by("pk") if row.about.get("settled")]


def end_billed(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Ends given-up steps whose records are gone, after the records of an order (locked, its trial too) were corrected.

    Such a step is done, its incident is over, and what waited goes on. Returns whether there was one.
    """
    settled = []
    for row in billed_still(order):
        if BillingRecord.objects.filter(pk__in=row.records, state__in=BillingRecord.THERE).exists():
            continue
        _mark_done(row, now)
        add_event(row.order, "books_show_gone", by=by, now=now, step=row.step)
        close_troubles(row.order, step=row.step, code=BILLED_NOT_ACTIVE, now=now, by=by)
        settled.append(row)
    if settled:
        orders = lock_orders({pk for row in settled for pk in (row.order_id, row.order.trial_id) if pk})
        for row in settled:
            row.order = orders[row.order_id]
        convert_trials([row for row in settled if row.step == Step.CANCEL_TRIAL and not row.undo], now=now, by=by)
        for owner in {row.order_id: row.order for row in settled}.values():
            _go_on(owner, now=now, by=by)
    return bool(settled)


def give_restore_up(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Lets an order go on whose billed records staff accepted. Its trial has ended, and the claim is free."""
    given_up_undoing(order).update(blocking=False)
    waiting = order.dispatches.current().filter(step=Step.RESTORE_TRIAL, state__in=[State.WAITING, *OPEN_STATES])
    waiting.filter(attempts=0).update(state=State.GIVEN_UP, next_try_at=None)
    claim = open_claim(order.trial)
    if claim and claim.activation_id == order.pk:
        release_claim(claim, order, ended_now=True, now=now, by=by)
    _go_on(order, now=now, by=by)


def _go_on(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Lets go on what waited, in the order and in the trial's line."""
    trial = order.trial or order
    release(now=now, order_ids=[order.pk], lanes=[trial.pk])
    finish_undo(order, now=now, by=by)
    refresh_states([order], now=now, by=by)
    if trial.pk == order.pk or order.kind == Kind.CHANGE:
        settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
