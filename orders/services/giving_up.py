"""Staff end a billing step that failed for good (contract 3.9, A way out of everything; 5 `give_up`).

What nobody knows is asked first, at once and after ten minutes; what waits behind waits for the second answer. Then the
step is `given_up`, its records are what they are, and what waited and was never begun is planned anew.
"""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from orders.books import HeldRecord
from orders.db.compiled_sql import load_rows, update_rows
from orders.errors import NotAllowedError, check_reason
from orders.models import BillingRecord, Dispatch, Order, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.services.compensation.finish import WAITS_FOR_CLAIM, finish_undo, given_up_undoing, release_claim
from orders.services.compensation.plan import LOOK_AGAIN
from orders.services.holds import settle_followers
from orders.services.incidents import BILLED_NOT_ACTIVE, BOOKS_ONLY, close_troubles, open_incident
from orders.services.order_state import add_event, convert_trials, lock_order, lock_orders, refresh_states
from orders.services.outbox.enqueue import build_questions, enqueue, wake
from orders.services.outbox.release import release
from orders.services.planning import open_claim
from orders.services.reconciliation.held_records import by_identity, identity, owner, take_record
from orders.services.reopening import plan_behind
from orders.services.shapes import count_what_is_there, keep_what_is_live
from orders.steps import FIXES, STEPS, named

State, Step, Kind, Record = Dispatch.State, Dispatch.Step, Order.Kind, BillingRecord.State
NOT_BILLED = {Record.CANCELLED, Record.DELETED}  # where a step that leaves its records so is given up, they may be
GIVEN_UP = {"detail": "given up", "params": {"code": "given_up"}}


def give_up(*, number: str, step: str = "", reason: str, by: str, now: datetime.datetime) -> Order:
    """Gives the order's failed billing steps up, or (with `step`) the one of that name.

    Raises OrderUnknownError, NotAllowedError (none has failed for good, or it has another way out; a blank reason).
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
    """The failed steps that `give_up` would end. Raises NotAllowedError where there is none, with why."""
    rows = order.dispatches.current().filter(state=State.FAILED).order_by("position", "pk").defer("payload")
    if why := why_not_give_up(order, rows, step):
        raise why
    return [row for row in rows if _is_given_up(row, step)]


def why_not_give_up(order: Order, rows: Iterable[Dispatch], step: str = "") -> NotAllowedError | None:
    """None if one of the order's steps can be given up, or the one of that name. `rows`: those that count."""
    if any(_is_given_up(row, step) for row in rows):
        return None
    about = {"number": order.number, "state": order.state}
    return (
        NotAllowedError("step_not_failed", step=step, **about)
        if step
        else NotAllowedError("nothing_to_give_up", **about)
    )


def _is_given_up(row: Dispatch, step: str) -> bool:
    """Whether it failed and has no other way out: a question has none, without its answer nobody knows what the step
    did."""
    own_way = row.channel != Dispatch.Channel.BILLING or row.step == Step.ASK_BILLING
    own_way |= row.step == Step.CREATE_BILLING and not row.undo
    named = row.step == step if step else row.step not in FIXES
    return row.state == State.FAILED and (row.repeat or not own_way) and named


def _ask(row: Dispatch, now: datetime.datetime) -> None:
    """Two questions in the step's place: at once, and after ten minutes."""
    enqueue(build_questions(row, about={"for": row.pk, "job": _job(row)}, again=now + LOOK_AGAIN, now=now))


def _job(row: Dispatch) -> str:
    """The jobId of the step's records: its order's, or its trial's."""
    first = BillingRecord.objects.filter(pk__in=row.records[:1]).select_related("order").first()
    return first.order.number if first else row.order.number


def answer_question(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """What the big-data side answered about a given-up step (its order and trial locked): the second answer counts."""
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
    """What follows for the records, the order and the trial. `held`: the partner's books, None where it certainly did
    nothing."""
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
    """What a trial or change came to, once its last step has ended; then those behind are planned upon it."""
    if count_what_is_there(order, now=now, by=by):
        _note_other_service(order, now)
        plan_behind(order.trial or order, place, now=now, by=by)


def _note_other_service(change: Order, now: datetime.datetime) -> None:
    """Records of the service that a change had replaced are live beside the new ones: somebody must look."""
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
    """These steps, each the last of a trial or change of which another was given up, have ended (orders and trials
    locked)."""
    for row in rows:
        if row.order.kind != Kind.ACTIVATION:
            _conclude(row.order, row.place or row.pk, now=now, by=by)


def _take(row: Dispatch, held: list[HeldRecord] | None) -> list[BillingRecord]:
    """The records as the partner holds them; a making that certainly was not carried out leaves none."""
    loaded = load_rows(BillingRecord, row.records)
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
    """Somebody is billed who should not be: the incident stays until the books show it gone, or somebody accepts it."""
    told = {"detail": row.error, "params": row.error_params} if row.error else GIVEN_UP
    open_incident(row.order, partner="bigdata", step=row.step, code=BILLED_NOT_ACTIVE, now=now, **told)


def _settle_undoing(row: Dispatch, records: list[BillingRecord], *, now: datetime.datetime, by: str) -> None:
    """A deletion or an undoing cancel: done if the books show it, else the order ends with what is billed still."""
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
    """A restore: done where the records are live; else a compensation leaves the trial ended, and a withdrawn change
    leaves it what is live."""
    if records and all(record.state == Record.LIVE for record in records):
        _mark_done(row, now)
    elif row.order.kind == Kind.ACTIVATION:
        claim = TrialClaim.objects.filter(activation=row.order, released_at=None).first()
        if claim:
            release_claim(claim, row.order, ended_now=True, now=now, by=by)
    else:
        keep_what_is_live(trial, now=now, by=by)


def billed_still(order: Order) -> list[Dispatch]:
    """Given-up deletions and cancels of an order's records that leave somebody billed: its own, and for a trial those
    of its activations and changes."""
    owners = Q(order=order) | Q(lane=order.pk) if order.kind == Kind.TRIAL else Q(order=order, lane=None)
    rows = Dispatch.objects.current().filter(owners, state=State.GIVEN_UP, blocking=True)
    ends = [name for state in NOT_BILLED for name in named(leaves=state)]
    rows = rows.filter(step__in=ends).select_related("order__trial").defer("payload")
    return [row for row in rows.order_by("pk") if row.about.get("settled")]


def end_billed(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Our books of an order (locked, its trial too) have just been set right: where the records of a given-up step are
    gone, it is done after all, the incident is over, and what waited goes on. True if so."""
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
    """Staff live with what is billed: nothing holds the order up any more, its trial has ended, the claim is free."""
    given_up_undoing(order).update(blocking=False)
    waiting = order.dispatches.current().filter(step=Step.RESTORE_TRIAL, state__in=[State.WAITING, *OPEN_STATES])
    waiting.filter(attempts=0).update(state=State.GIVEN_UP, next_try_at=None)
    claim = open_claim(order.trial)
    if claim and claim.activation_id == order.pk:
        release_claim(claim, order, ended_now=True, now=now, by=by)
    _go_on(order, now=now, by=by)


def _go_on(order: Order, *, now: datetime.datetime, by: str) -> None:
    """What waited for it, in the order and in the trial's line."""
    trial = order.trial or order
    release(now=now, order_ids=[order.pk], lanes=[trial.pk])
    finish_undo(order, now=now, by=by)
    refresh_states([order], now=now, by=by)
    if trial.pk == order.pk or order.kind == Kind.CHANGE:
        settle_followers(trial, now=now, by=by, held=WAITS_FOR_CLAIM)
