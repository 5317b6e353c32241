"""Staff adopt the big-data side's records as our records (`take`; contract 3.9, 13 and 14).

The partner is called first, outside any transaction. Then the order is locked and compared with the answer. No billing
step may be under way.
"""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders.actions.manual_answers import answer_questions, questions_of
from orders.books.books import BooksSilentError, HeldRecord, Look
from orders.books.differences import update_incident
from orders.books.expected_records import end_beside, note_not_meant
from orders.books.held_records import TAKEN, as_meant, by_identity, by_name, identity, owner, records_of, take_record
from orders.db.compiled_sql import insert_rows, update_rows
from orders.history.order_locks_and_events import add_event, find_order, load_records, lock_order, refresh_states
from orders.incidents.incidents import close_troubles, end_settled
from orders.mails.mail_creation import tell_accepted
from orders.models import Attempt, BillingRecord, Difference, Dispatch, Order
from orders.outbox.billing_effects import starts_in_doubt
from orders.outbox.enqueue import enqueue_next_parts, wake
from orders.outbox.open_moves import differs, move_of
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS, Outcome
from orders.outbox.record_selection import set_times
from orders.outbox.release_steps import release
from orders.pauses.release_restored import is_from_before_restore
from orders.reconciliation.asking import (
    Answer,
    ask_and_compare,
    ask_steps,
    check_as_shown,
    check_compared,
    of_job,
    why_silent,
)
from orders.reconciliation.manual_answer_guards import check_look, without_called
from orders.replanning.giving_up import complete_confirmed_removals, given_up_removals, mark_records_left
from orders.replanning.verify_unanswered_calls import look_behind
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import STEPS, Effect, Step
from orders.rules.trial_shape import Shape, last_moment
from orders.sending.record import record_read_again
from orders.start_day.move_start import may_send_again, move_start_to
from orders.start_day.move_start_outcomes import take_move
from orders.texts.errors import NotAllowedError, check_reason
from orders.trials.trial_state_reads import meant_of, shape_of
from orders.trials.trial_state_writes import refresh_trial, reshape, take_end
from orders.undoing.finish import finish_undo

IN_FIELDS = [Difference.Kind.FIELDS, Difference.Kind.UNREADABLE]
LIVING = {Order.State.IN_PROGRESS, Order.State.AWAITING_APPROVAL, Order.State.SCHEDULED, Order.State.ACTIVE}


def ask_all(order: Order, *, by: str = "", look: str = "", **asked: object) -> Answer:
    """Returns the big-data side's records: its answer, or the records that a person saw (`look`: a Look's text). If the
    order's differences are to be taken, also compares the records with ours. Makes no call for a BPM start. Raises
    BooksSilentError and NotAllowedError."""
    if asked.get("step") == Step.START_BPM:
        return Answer(held=[])
    manual = Look.read(look)
    check_look(manual, timezone.now())
    if move_of(order) or stopped(order) or (manual and questions_of(order)):
        return ask_steps(order, manual)
    return ask_and_compare(order, by=by, look=manual)


def ask_books(number: str, *, by: str = "", look: str = "") -> Answer:
    """Calls `ask_all` for the order with this number. Raises OrderUnknownError and NotAllowedError. If the partner does
    not answer, also raises NotAllowedError."""
    try:
        return ask_all(find_order(number), by=by, look=look)
    except BooksSilentError as error:
        raise why_silent(error) from error


def take(
    *,
    number: str,
    step: str = "",
    process: str = "",
    look: str = "",
    held: Answer | None = None,
    reason: str,
    by: str,
    now: datetime.datetime,
) -> Order:
    """Adopts the partner's records as our records. For a BPM start in doubt, stores that BPM has the process
    (`process`: the process number, if known).

    If steps are stopped because the partner had acted before, takes the records of these steps. Otherwise takes the
    order's differences, as they were shown. `held` is the partner's answer. If it is None, the partner is called now,
    so the caller must not be in a transaction. `look` holds the records that a person saw instead. They first answer
    the steps that wait for a manual look-up. Records with a call too close to the look-up are left out, and the event
    lists them.

    A cancel or delete is taken only if the partner's records are not live. A create is taken only if they are live.
    Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "taking the books")
    if step == Step.START_BPM:
        return take_process(number=number, process=process, reason=reason, by=by, now=now)
    answer = ask_books(number, by=by, look=look) if held is None else held
    manual, left = Look.read(look), []
    with transaction.atomic():
        order = lock_order(number)
        check_quiet(order)
        if manual and (asked := questions_of(order)):
            return _answer(order, asked, manual, answer.held, reason=reason, now=now, by=by)
        check_as_shown(order, answer)
        move = move_of(order)
        if move and (why := why_not_take_move(order, move, now)):
            raise why
        rows = stopped(order, step)
        if step and not rows:
            raise NotAllowedError("step_not_stopped", number=number, step=step)
        if manual and (move or rows):
            rows, left = without_called([move] if move else rows, manual)
            rows = [] if move else rows
        unlike, billed = open_record_differences(order).exists(), bool(given_up_removals(order))
        if why := why_not_take(order, stopped=bool(rows or move), differs=unlike, billed=billed):
            raise why
        held = answer.held
        if not (move or rows):
            check_compared(order, answer)
        if move:
            move.order = order
            close_by_hand(open_record_differences(order), Difference.State.OVER, reason, by=by, now=now)
            _take_move(move, held, now=now, by=by)
        elif rows:
            for row in rows:
                row.order = order
                _take_step(row, held, now=now, by=by)
        elif not _note_gone(order, held, now=now, by=by):
            _take_differences(order, held, now=now, by=by)
        _note_taken(order, rows, left, reason=reason, now=now, by=by)
        if not rows:
            if not move:
                close_by_hand(open_record_differences(order), Difference.State.OVER, reason, by=by, now=now)
            update_incident(order, by=by, now=now)
            if order.kind == Order.Kind.TRIAL:
                end_beside(order, now=now, by=by)
        continue_order(order, now=now, by=by)
    return order


def _answer(
    order: Order,
    asked: list[Dispatch],
    look: Look,
    held: list[HeldRecord],
    *,
    reason: str,
    now: datetime.datetime,
    by: str,
) -> Order:
    """Answers the steps that wait for a manual look-up. The order then continues as after the partner's own answer."""
    rows, left = without_called(asked, look)
    _note_taken(order, rows, left, reason=reason, now=now, by=by)
    answer_questions(order.number, rows, held, now=now, by=by)
    order = lock_order(order.number)
    release(now=now, order_ids=[order.pk], serial_trial_ids=[order.trial_id or order.pk])
    finish_undo(order, now=now, by=by)
    refresh_states([order], now=now, by=by)
    end_settled([order], now=now, by=by)
    wake()
    return order


def _note_taken(
    order: Order, rows: list[Dispatch], left: list[str], *, reason: str, now: datetime.datetime, by: str
) -> None:
    more = {"left_out": left} if left else {}
    add_event(order, "taken", by=by, now=now, steps=[row.step for row in rows], reason=reason.strip(), **more)


@transaction.atomic
def take_process(*, number: str, process: str = "", reason: str, by: str, now: datetime.datetime) -> Order:
    """Marks a BPM start in doubt as done, since BPM has the process (contract 7.2). The incident stays open until a
    callback or `accept`."""
    order = lock_order(number)
    row = starts_in_doubt(order).first()
    if row is None:
        raise NotAllowedError("step_not_stopped", number=number, step=Step.START_BPM)
    row.order = order
    add_event(order, "taken", by=by, now=now, steps=[row.step], reason=reason.strip())
    known: dict = {"channel": row.channel, "result": Attempt.Outcome.ACTED_BEFORE, "code": ACTED_BEFORE}
    outcome = Outcome(dispatch_id=row.pk, attempt_id=0, token=row.key, data={"process": process.strip()}, **known)
    record_read_again(row, outcome, now=now, by=by)
    wake()
    return order


def is_about_start(order: Order) -> bool:
    """Returns True if only a BPM start in doubt can be taken, and no billing records."""
    books = stopped(order) or open_record_differences(order).exists()
    return not books and starts_in_doubt(order).exists()


def why_not_take_move(order: Order, move: Dispatch, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the reason why the records of an unfinished move of the start can't be taken."""
    if not differs(move):
        return NotAllowedError("move_under_way", number=order.number)
    return NotAllowedError("move_send_again", number=order.number) if may_send_again(move, order, now) else None


def _take_move(move: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Sets the start to the partner's earliest createTime. Records with a later createTime are left as they are."""
    order = move.order
    take_move(move, of_job(order, held), now=now, by=by)
    later = order.billing_records.filter(pk__in=move.records).exclude(create_time=order.start_at)
    mark_records_left(later.values_list("pk", flat=True))


def why_not_take(order: Order, *, stopped: bool, differs: bool, billed: bool) -> NotAllowedError | None:
    """Returns the error if there is nothing to take, otherwise None. `stopped`: a step stopped because the partner had
    acted before. `differs`: there is an open difference. `billed`: the customer is still billed but should not be."""
    return None if stopped or differs or billed else NotAllowedError("same_books", number=order.number)


def check_quiet(order: Order) -> None:
    """Raises NotAllowedError while a billing step is under way, since the partner's answer may be out of date."""
    steps = Dispatch.objects.current().open().filter(channel=Dispatch.Channel.BILLING)
    lane = order.trial_id or order.pk
    if why := why_not_quiet(order, steps.filter(order=order).exists() or steps.filter(lane=lane).exists()):
        raise why


def why_not_quiet(order: Order, moving: bool) -> NotAllowedError | None:
    """Returns the error if a billing step of the order or of its trial's line is under way (`moving`), otherwise
    None."""
    return NotAllowedError("billing_under_way", number=order.number) if moving else None


def _note_gone(order: Order, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> bool:
    """Closes given-up removals if the partner no longer has any of their records. Returns True if a removal was
    closed."""
    there = by_identity(held)
    ids = {pk for row in given_up_removals(order) for pk in row.records}
    records = list(BillingRecord.objects.filter(pk__in=ids).select_related("order"))
    for record in records:
        take_record(record, there.get(identity(record, record.order)))
    if not records or any(record.state in BillingRecord.THERE for record in records):
        return False
    update_rows(records, TAKEN)
    return complete_confirmed_removals(order, now=now, by=by)


def stopped(order: Order, step: str = "") -> list[Dispatch]:
    """Returns the failed billing steps that are in doubt, or that the partner had carried out before under the same key
    (contract 7.2)."""
    rows = order.dispatches.current().filter(state=Dispatch.State.FAILED, error_code__in=[ACTED_BEFORE, *DOUBTS])
    rows = rows.filter(channel=Dispatch.Channel.BILLING)
    return list((rows.filter(step=step) if step else rows).order_by("position", "pk").defer("payload"))


def _take_step(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    records = list(load_records(records_of(row)).values())
    for record in records:
        record.order = owner(row, record)
    set_times(row, {record.pk: record for record in records})
    if not as_meant(row, records, held) and not _is_over(row, records, held):
        raise NotAllowedError("step_not_there", step=row.step)
    there = by_identity(held)
    for record in records:
        take_record(record, there.get(identity(record, record.order)))
    update_rows(records, TAKEN)
    row.state, row.done_at, row.definite = Dispatch.State.DONE, now, True
    row.save(update_fields=["state", "done_at", "definite"])
    close_troubles(row.order, step=row.step, now=now, by=by)
    if row.rest:
        enqueue_next_parts([row], now=now)
        return
    tell_accepted([row], now=now)
    if row.step == Step.CANCEL_TRIAL and not row.undo and row.order.trial:
        refresh_trial(row.order.trial, now=now, by=by)
    if row.lane and row.order.kind != Order.Kind.ACTIVATION:
        note_not_meant(row.order.trial or row.order, now=now, by=by)


def _is_over(row: Dispatch, records: Iterable[BillingRecord], held: Iterable[HeldRecord]) -> bool:
    """Returns True for a cancel or delete, but no fix, if none of its records is live at the partner. Nothing is left
    to do."""
    if STEPS[row.step].fix or STEPS[row.step].effect not in {Effect.CANCEL, Effect.DELETE}:
        return False
    there = by_identity(held)
    found = [there.get(identity(record, record.order)) for record in records]
    return not any(one and one.live for one in found)


def _take_differences(order: Order, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Sets records, last day and start to the partner's values. Raises NotAllowedError if they do not fit the order."""
    if not open_record_differences(order).exists():
        raise NotAllowedError("nothing_to_take", number=order.number)
    if order.kind == Order.Kind.CHANGE:
        raise NotAllowedError("change_without_records", number=order.trial_number)
    held = of_job(order, held)
    there = by_name(held)
    for record in order.billing_records.all():
        one = there.get((record.product_id, record.domain_key))
        if record.state == BillingRecord.State.LIVE and not (one and one.live):
            raise NotAllowedError("record_not_there", domain=record.domain, remedy=_repair_command(order))
    waiting = set(
        order.billing_records.filter(state=BillingRecord.State.TO_SEND).values_list("product_id", "domain_key")
    )
    may_live = _may_be_live(order)
    for one in held:
        if one.live and (one.product_id, one.key) in waiting:
            raise NotAllowedError("record_to_come", domain=one.domain)
        if one.live and (one.product_id, one.key) not in may_live:
            raise NotAllowedError("record_not_ours", domain=one.domain, number=order.number, state=order.state)
    for key in sorted(_must_live(order, now) - {(one.product_id, one.key) for one in held if one.live}):
        raise NotAllowedError("record_not_there", domain=key[1], remedy=_repair_command(order))
    live = [one for one in held if one.live]
    if order.kind == Order.Kind.TRIAL:
        _take_ends(order, live, now, by)
    else:
        _check_ends(order, live, now)
        _take_start(order, live, now, by)
    adopt(order, held)


def _must_live(order: Order, now: datetime.datetime) -> set[tuple[str, str]]:
    """Returns the records (productId, domain) that must be live. The result is empty if the customer is not being
    served."""
    if order.kind == Order.Kind.TRIAL:
        runs = order.state == Order.State.TRIALING
        meant = meant_of([order], now=now)[order.pk] if runs else None
        return {(meant.service, key) for key in meant.domains} if meant else set()
    served = order.state in {Order.State.ACTIVE, Order.State.SCHEDULED}
    return {(order.product_id, key) for key in order.domains.values_list("key", flat=True)} if served else set()


def _take_ends(trial: Order, live: list[HeldRecord], now: datetime.datetime, by: str) -> None:
    """Sets a trial's last day to the last day of the partner's live records (contract 3.9, 19). Raises
    NotAllowedError."""
    shape, endless = shape_of(trial), Shape()
    if trial.state != Order.State.TRIALING or all(shape.fits(one.create_time, one.cancel_time) for one in live):
        return
    ends = {None if endless.fits(one.create_time, one.cancel_time) else one.cancel_time for one in live}
    end = ends.pop()
    if ends:
        raise NotAllowedError("ends_differ", number=trial.number)
    day = end and end.astimezone(SHANGHAI).date()
    if end != last_moment(day):
        raise NotAllowedError("ends_within_a_day", number=trial.number)
    take_end(trial, day, now=now, by=by)
    reshape(trial, now=now, by=by)


def _check_ends(order: Order, live: list[HeldRecord], now: datetime.datetime) -> None:
    """Raises NotAllowedError if the partner's record has ended or ends before ours. The customer would not be billed
    after that end."""
    ours = dict(order.billing_records.values_list("domain_key", "cancel_time"))
    for one in live:
        ends, known = one.cancel_time, ours.get(one.key)
        sooner = ends and known and ends < known and not Shape().fits(one.create_time, ends)
        if ends and (ends <= now or sooner):
            day = f"{ends.astimezone(SHANGHAI):%Y-%m-%d}"
            raise NotAllowedError("record_ends", domain=one.domain, day=day, remedy=_repair_command(order))


def _take_start(order: Order, live: list[HeldRecord], now: datetime.datetime, by: str) -> None:
    """Moves the start of a scheduled order to the createTime of the partner's records (contract 3.9, 18)."""
    starts = {one.create_time for one in live}
    if order.state != Order.State.SCHEDULED or len(starts) != 1 or starts == {order.start_at} or None in starts:
        return
    move_start_to(order, starts.pop(), now=now, by=by)


def _repair_command(order: Order) -> str:
    """Returns the command that creates a record again. `--fix` skips orders from before a restore."""
    if is_from_before_restore(order):
        return f"`resend {order.number} --channel billing --force`"
    return f"`reconcile {order.number} --fix` or `resend`"


def _may_be_live(order: Order) -> set[tuple[str, str]]:
    """Returns the records (productId, domain) that may be live. These are the records of the order's domains, and the
    records that are live on our side. Records that must not be live according to an open difference are left out."""
    trial = order.kind == Order.Kind.TRIAL
    if order.state not in ({Order.State.TRIALING} if trial else LIVING):
        return set()
    here = set(order.billing_records.filter(state__in=BillingRecord.THERE).values_list("product_id", "domain_key"))
    if trial:
        shape = shape_of(order)
        not_meant = open_record_differences(order).filter(kind=Difference.Kind.NOT_MEANT)
        here -= {(row.product_id, domain_key(row.domain)) for row in not_meant}
        return {*here, *((shape.service, key) for key in shape.domains)}
    return {*here, *((order.product_id, key) for key in order.domains.values_list("key", flat=True))}


def adopt(order: Order, held: list[HeldRecord], *, unsure: bool = False) -> None:
    """Sets our records of the order to the partner's state, and adds the records that we lack.

    `unsure`: unknown records stay unknown, as in a comparison, since an unanswered call may still act on them.
    """
    there = by_name(of_job(order, held))
    records = list(order.billing_records.all())
    fields = order.differences.filter(state=Difference.State.OPEN, kind__in=IN_FIELDS)
    differing = set(fields.values_list("product_id", "domain"))
    for record in records:
        one = there.pop((record.product_id, record.domain_key), None)
        if unsure and record.state == BillingRecord.State.UNKNOWN:
            continue
        if one is not None or record.state in {
            BillingRecord.State.LIVE,
            BillingRecord.State.CANCELLED,
            BillingRecord.State.UNKNOWN,
        }:
            take_record(record, one)
        if one is not None and (record.product_id, record.domain) in differing:
            record.accepted = one.fields
    update_rows(records, [*TAKEN, "accepted"])
    insert_rows(_adopted(order, one) for one in there.values())


def _adopted(order: Order, one: HeldRecord) -> BillingRecord:
    record = BillingRecord(
        order=order,
        info_type=one.info_type if one.info_type in BillingRecord.Type.values else BillingRecord.Type.COMMERCIAL,
        product_id=one.product_id[:64],
        business_type=one.fields.get("businessType", "")[:8],
        domain=one.domain[:255],
        domain_key=one.key[:255],
        accepted=one.fields,
    )
    take_record(record, one)
    return record


def open_record_differences(order: Order) -> QuerySet[Difference]:
    """Returns the open differences with the partner's records. Excludes NOT_LISTED, which is about BBOSS's list."""
    return order.differences.filter(state=Difference.State.OPEN).exclude(kind=Difference.Kind.NOT_LISTED)


def close_by_hand(rows: QuerySet[Difference], state: str, reason: str, *, by: str, now: datetime.datetime) -> None:
    rows.update(state=state, closed_at=now, closed_by=by[:160], reason=reason.strip())


def continue_order(order: Order, *, now: datetime.datetime, by: str) -> None:
    trial = order.trial or order
    look_behind(order, now=now)
    refresh_trial(trial, now=now, by=by)
    complete_confirmed_removals(trial, now=now, by=by, beside=order)
    note_not_meant(trial, now=now, by=by, opens=False)
    release(now=now, order_ids=[order.pk], serial_trial_ids=[trial.pk])
    finish_undo(order, now=now, by=by)
    refresh_states([order], now=now, by=by)
    end_settled([order], now=now, by=by)
    wake()
