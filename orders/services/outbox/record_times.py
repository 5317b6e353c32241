"""Which records a step is about when it is first attempted, and the times that it gives them (contract 3.3, 3.9).

The times follow from T. They stand in the frozen payload and are written to the records when the partner has accepted
it, or may have: a refused step leaves its records as they were.
"""

import datetime
from collections.abc import Iterable

from orders.db.batches import load_rows
from orders.models import BillingRecord, Dispatch, Order
from orders.steps import STEPS, Effect

Step, Kind = Dispatch.Step, Order.Kind
ONLY_THERE = {Effect.CANCEL, Effect.EXTEND}  # what is not at the big-data side can be neither cancelled nor extended
ENDS_ANEW = {Effect.CREATE, Effect.EXTEND}
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def read_records(fresh: Iterable[Dispatch]) -> dict[int, BillingRecord]:
    """The records of dispatches that are attempted for the first time, with their times as T (`frozen_at`) decides
    them, unsaved; by id. What a cancel is about is decided here: all that is live then, or may be."""
    fresh = [row for row in fresh if row.channel == Dispatch.Channel.BILLING]
    _find_trials_records(fresh)
    records = load_rows(BillingRecord, {pk for row in fresh for pk in [*row.records, *row.about.get("fixes", [])]})
    for row in fresh:
        if STEPS[row.step].effect in ONLY_THERE:
            if not row.repeat:
                row.records = [pk for pk in row.records if records[pk].state in BillingRecord.THERE]
            row.size = len(row.records)
        if row.step == Step.EXTEND_TRIAL:
            row.about = {"ends": _ends(records[pk] for pk in row.records)}
        set_times(row, records)
    return records


def _find_trials_records(fresh: list[Dispatch]) -> None:
    """An activation cancels every record of its trial that is there, under whatever productId; so does the withdrawal
    of a trial (contract 3.9, 13)."""
    cancels = [row for row in fresh if row.step == Step.CANCEL_TRIAL and not row.repeat]
    cancels = [row for row in cancels if row.order.kind != Kind.CHANGE]
    found: dict[int, list[int]] = {row.order.trial_id or row.order_id: [] for row in cancels}
    if found:
        rows = BillingRecord.objects.filter(order__in=found, state__in=BillingRecord.THERE).order_by("pk")
        for order_id, pk in rows.values_list("order_id", "pk"):
            found[order_id].append(pk)
    for row in cancels:
        row.records = found[row.order.trial_id or row.order_id]


def _ends(records: Iterable[BillingRecord]) -> dict[str, list[int]]:
    """When the records end now, so that they can get their ends back: {ISO time: ids}."""
    ends: dict[str, list[int]] = {}
    for record in records:
        ends.setdefault(record.cancel_time.isoformat() if record.cancel_time else "", []).append(record.pk)
    return ends


def set_times(row: Dispatch, records: dict[int, BillingRecord]) -> None:
    """createTime, cancelTime and the time of cancelling of a dispatch's records, as its T decides them; unsaved."""
    t, kind = row.frozen_at, STEPS[row.step]
    if row.repeat or not kind.timed:
        return
    before = _ends_before(row) if kind.effect == Effect.RESTORE else {}
    new_end = _end_of(row.order) or in_ten_years(t)
    for pk in row.records:
        record = records[pk]
        record.cancelled_at = t if kind.effect == Effect.CANCEL else None
        if kind.effect == Effect.CREATE:
            record.create_time = record.create_time or row.order.start_at or t
        if kind.effect in ENDS_ANEW:
            record.cancel_time = new_end
        elif pk in before:
            record.cancel_time = before[pk]


def _ends_before(row: Dispatch) -> dict[int, datetime.datetime]:
    """By record: the end that the step which is undone had taken from it."""
    ends = row.about.get("ends", {}).items()
    return {pk: datetime.datetime.fromisoformat(end) for end, ids in ends if end for pk in ids}


def _end_of(order: Order) -> datetime.datetime | None:
    """BizEnd 23:59:59 of a trial or change; commercial records run for ten years."""
    if order.kind == Kind.ACTIVATION or order.biz_end is None:
        return None
    return datetime.datetime.combine(order.biz_end, datetime.time(23, 59, 59), SHANGHAI)


def in_ten_years(t: datetime.datetime) -> datetime.datetime:
    """T + 10 years on the wall clock of Asia/Shanghai; 29 February becomes the 28th."""
    local = t.astimezone(SHANGHAI)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year + 10, day=day)
