"""Selects a billing step's records and computes their times at its first attempt (contract 3.9, 3 and 19).

The records of a trial's step depend on the partner's known records and on the target state at that time, never on
earlier states. The times of the records follow from T. These times are saved to the records when the partner has
accepted the step.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.db.models import F

from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.history.order_locks_and_events import load_records
from orders.models import BillingRecord, Dispatch, Order
from orders.rules.local_time import in_ten_years
from orders.rules.steps import DELETIONS, FIXES, STEPS, Effect, Step
from orders.rules.trial_shape import Shape, last_moment
from orders.trials.trial_state_reads import begun_shape, is_meant, meant_now, meant_of, started

A_SECOND = datetime.timedelta(seconds=1)
LEFT = "left_as_it_is"  # key in `accepted` of a record that staff left as it is, although the orders say otherwise
WAS_IN = "was_in"  # key in `accepted` of a cancelled record: its `province` there is older than its order's
DELETABLE = {*BillingRecord.THERE, BillingRecord.State.CANCELLED}
TRIALS_RECORDS = Prepared(
    lambda: (
        BillingRecord.objects.filter(OneOf("order_id", "trials"), state__in=BillingRecord.THERE)
        .order_by("pk")
        .values_list("order_id", "pk")
    )
)


def read_records(fresh: Iterable[Dispatch]) -> dict[int, BillingRecord]:
    """Returns the records, by id, of dispatches at their first attempt. Sets the times that follow from T, without
    saving them."""
    fresh = [row for row in fresh if row.channel == Dispatch.Channel.BILLING]
    _choose([row for row in fresh if not row.repeat])
    records = load_records(
        {pk for row in fresh for pk in [*row.records, *(row.fixes or () if row.step in FIXES else ())]}
    )
    for row in fresh:
        if not row.repeat and row.step in {Step.DELETE_BILLING, Step.CANCEL_BILLING}:
            there = DELETABLE if row.step == Step.DELETE_BILLING else BillingRecord.THERE
            row.records = [pk for pk in row.records if records[pk].state in there]
            row.size = len(row.records)
        if row.step == Step.MOVE_ATTRIBUTION:
            row.fixes = live = [pk for pk in row.fixes if records[pk].state == BillingRecord.State.LIVE]
            row.size = len(live)
        _cut(row)
        if row.step == Step.FIX_CREATE:
            _mend(row, records)
        if row.step in DELETIONS:
            _choose_call(row)
        set_times(row, records)
    return records


def _cut(row: Dispatch) -> None:
    """Limits a step to the records that one call may carry. The other records follow in further steps (contract 7.1,
    most)."""
    most = settings.PARTNERS.bigdata.post.most
    if not 0 < most < len(found := getattr(row, row.carried_in)) or row.step == Step.MOVE_START:
        return
    row.size, row.rest = most, [*found[most:], *(row.rest or [])]
    setattr(row, row.carried_in, found[:most])


def _choose_call(row: Dispatch) -> None:
    """Chooses the call of a deletion once and for all. If the partner has no delete call, the records are posted
    (contract 7.1)."""
    row.posted = not settings.PARTNERS.bigdata.delete.path


def _choose(fresh: list[Dispatch]) -> None:
    """Sets the records of steps on a trial's records. An activation, and the withdrawal of a trial, cancel every
    existing record of the trial, whatever its productId (contract 3.9, 13)."""
    cancels = [row for row in fresh if row.step == Step.CANCEL_TRIAL and not _is_shaped(row)]
    if cancels:
        found: dict[int, list[int]] = {row.order.trial_id or row.order_id: [] for row in cancels}
        for trial, pk in TRIALS_RECORDS(trials=found):
            found[trial].append(pk)
        for row in cancels:
            _set_chosen(row, found[row.order.trial_id or row.order_id])
    for row in fresh:
        if row.lane and row.step in WANTED and _is_shaped(row):
            shape, chosen = select_records(row, now=row.frozen_at)
            _set_chosen(row, [record.pk for record in chosen])
            row.sent_end = shape.end.isoformat() if shape.end else ""


def _set_chosen(row: Dispatch, chosen: list[int]) -> None:
    """Sets a step's records to `chosen`. A further part of a step keeps only those of its own records that are in
    `chosen`."""
    mine = set(row.records)
    row.records = [pk for pk in chosen if pk in mine] if row.rest is not None else chosen
    row.size = len(row.records)


def _is_shaped(row: Dispatch) -> bool:
    """Returns True if the records of a trial's step follow from the trial's shape. Other steps create or cancel all
    records."""
    return row.order.kind == Order.Kind.CHANGE or row.step == Step.RESTORE_TRIAL or bool(row.to_shape)


def select_records(
    row: Dispatch, *, now: datetime.datetime, gone: Order | None = None
) -> tuple[Shape, list[BillingRecord]]:
    """Returns the trial's shape at this step's turn, and the records to send then. `gone`: an order to treat as
    undone."""
    trial = row.order.trial or row.order
    shape = begun_shape(trial, of=None if row.undo else row.order, gone=gone)
    meant = meant_now(trial, shape, now=now, gone=gone)
    if row.step == Step.EXTEND_TRIAL and trial.undo_since is None and not started([trial.pk]):
        meant = shape  # even if the new end has passed meanwhile: live records get the new end
    left = {*(row.left_out or ()), *(_being_given_up(trial) if row.undo or row.to_shape else ())}
    wanted = WANTED[row.step]
    rows = trial.billing_records.exclude(pk__in=left).order_by("pk")
    return shape, [record for record in rows if wanted(record, meant, now)]


def _being_given_up(trial: Order) -> list[int]:
    """Returns the records of given-up steps of orders that are not settled yet. A call may still act on these records,
    and the shape still includes the whole message of such an order. Nothing is sent for these records (contract 3.9, 13
    and 19)."""
    rows = Dispatch.objects.current().filter(lane=trial.pk, state=Dispatch.State.GIVEN_UP, undo=False, repeat=False)
    rows = rows.filter(plan=F("order__plans"), order__undo_since=None, order__given_up__isnull=True)
    rows = rows.exclude(order__kind=Order.Kind.ACTIVATION).exclude(step__in=FIXES)
    return [pk for records in rows.values_list("records", flat=True) for pk in records]


def _to_cancel(record: BillingRecord, meant: Shape | None, now: datetime.datetime) -> bool:
    """Returns True if the record exists, should not exist and has not expired. Returns False for records that staff
    left as they are."""
    over = record.state == BillingRecord.State.LIVE and record.cancel_time and record.cancel_time <= now
    stays = over or LEFT in record.accepted or is_meant(record, meant)
    return record.state in BillingRecord.THERE and not stays


def _to_make(record: BillingRecord, meant: Shape | None, now: datetime.datetime) -> bool:
    """Returns True if the record should be live and is not live, or if it has expired although its target end is still
    ahead."""
    over = record.cancel_time and record.cancel_time <= now and not _has_run_out(record, meant, now)
    return is_meant(record, meant) and (record.state != BillingRecord.State.LIVE or bool(over))


def _to_extend(record: BillingRecord, meant: Shape | None, now: datetime.datetime) -> bool:
    known = record.state == BillingRecord.State.LIVE and (
        _ends_so(record, meant or Shape()) or _has_run_out(record, meant, now)
    )
    return is_meant(record, meant) and record.state in BillingRecord.THERE and not known


def _has_run_out(record: BillingRecord, meant: Shape | None, now: datetime.datetime) -> bool:
    """Returns True if the record's end and its target end have both passed."""
    ends = (record.cancel_time, meant.ends_at if meant else None)
    return all(end is not None and end <= now for end in ends)


def _to_restore(record: BillingRecord, meant: Shape | None, now: datetime.datetime) -> bool:
    extends = _to_extend(record, meant, now) and LEFT not in record.accepted
    return _to_make(record, meant, now) or extends


def _ends_so(record: BillingRecord, meant: Shape) -> bool:
    return meant.fits(record.create_time, record.cancel_time)


WANTED: dict[str, Callable[[BillingRecord, Shape | None, datetime.datetime], bool]] = {
    Step.CANCEL_TRIAL: _to_cancel,
    Step.CREATE_TRIAL: _to_make,
    Step.EXTEND_TRIAL: _to_extend,
    Step.RESTORE_TRIAL: _to_restore,
}


def _mend(row: Dispatch, records: dict[int, BillingRecord]) -> None:
    """Sets the values that a fix sends: the target state of a trial's records, or of the commercial records that differ
    from it.

    The values are stored in `sent`. `apply_fix` copies them to our records when the fix is accepted.
    """
    trial, order, now, sent = row.order.kind == Order.Kind.TRIAL, row.order, row.frozen_at, {}
    left = set(row.fixes)
    meant = meant_of([order], now=now)[order.pk] if trial else Shape()
    for pk in row.fixes if trial else [pk for pk in row.meant or () if pk in left]:
        record = records[pk]
        if not trial or is_meant(record, meant):
            record.state, record.cancelled_at = BillingRecord.State.LIVE, None
            record.create_time = (None if trial else order.start_at) or record.create_time or now
            if not _ends_so(record, meant):
                record.cancel_time = meant.ends_at or in_ten_years(now)
        elif record.state == BillingRecord.State.LIVE:
            record.state, record.cancelled_at = BillingRecord.State.CANCELLED, _cancelled_at(record, now)
        times = (record.create_time, record.cancel_time, record.cancelled_at)
        sent[pk] = [record.state, *(moment and moment.isoformat() for moment in times)]
    row.sent = sent


def apply_fix(row: Dispatch, records: Mapping[int, BillingRecord]) -> None:
    """Sets our records to the values in `sent`, after the partner accepted the fix. Does not save them."""
    for pk, (state, *times) in (row.sent or {}).items():
        record = records[int(pk)]
        record.state, record.dispatch = state, row
        record.create_time, record.cancel_time, record.cancelled_at = (
            moment and datetime.datetime.fromisoformat(moment) for moment in times
        )


def set_times(row: Dispatch, records: dict[int, BillingRecord]) -> None:
    """Sets the times of a dispatch's records that follow from its T. Does not save the records."""
    t, kind = row.frozen_at, STEPS[row.step]
    if row.repeat or not kind.sets_record_times:
        return
    end = _end_of(row)
    for record in [records[pk] for pk in row.records if pk in records]:
        record.cancelled_at = _cancelled_at(record, t) if kind.effect == Effect.CANCEL else None
        if kind.effect in {Effect.CREATE, Effect.RESTORE}:
            record.create_time = record.create_time or row.order.start_at or t
        if kind.effect == Effect.MOVE:
            record.create_time = moved_to(row)
        if kind.effect == Effect.RESTORE and end is None and Shape().fits(record.create_time, record.cancel_time):
            continue  # any end at least ten years after its creation is valid
        if kind.effect != Effect.CANCEL:
            record.cancel_time = end or in_ten_years(t)


def _cancelled_at(record: BillingRecord, t: datetime.datetime) -> datetime.datetime:
    """Returns T, or a second after T if the record was created at T. Without a delete call, a record that is cancelled
    at the time of its creation would count as deleted."""
    made = None if settings.PARTNERS.bigdata.delete.path else record.create_time
    same = made is not None and made.replace(microsecond=0) == t.replace(microsecond=0)
    return t + A_SECOND if same else t


def moved_to(row: Dispatch) -> datetime.datetime:
    """Returns the new start of a move's records: the requested start, or the step's T if today was requested."""
    return row.new_start or row.frozen_at.replace(microsecond=0)


def _end_of(row: Dispatch) -> datetime.datetime | None:
    """Returns the time when the records of a step end: BizEnd at 23:59:59. BizEnd comes from the shape at the step's
    turn, or from the order's own message."""
    if row.order.kind == Order.Kind.ACTIVATION and row.step != Step.RESTORE_TRIAL:
        return None
    day = row.order.biz_end if row.sent_end is None else row.sent_end
    return last_moment(datetime.date.fromisoformat(day) if isinstance(day, str) and day else day or None)
