"""Carries out the consequences of moves of a start day, once they have ended or their outcome is known (contract 3.9,
18).

For an order that is being undone, the verifications of the undoing handle its moves instead.
"""

import datetime
from collections.abc import Iterable

from orders.books.books import CREATE, Discrepancy, HeldRecord
from orders.books.differences import open_found
from orders.books.held_records import TAKEN, by_identity, identity, take_record
from orders.db.compiled_sql import update_rows
from orders.history.order_locks_and_events import load_records
from orders.incidents.incident_codes import MOVE_FAILED
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import NOTES, BillingRecord, Difference, Dispatch, Order, question_about
from orders.outbox.billing_effects import late_calls, may_act_until
from orders.outbox.enqueue import build_step, enqueue
from orders.outbox.record_selection import moved_to
from orders.outbox.release_steps import release
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Partner, Step
from orders.start_day.move_start import move_start_to, start_of
from orders.texts.errors import NotAllowedError
from orders.undoing.late import is_late

Pairs = list[tuple[BillingRecord, HeldRecord | None]]


def settle_move(row: Dispatch) -> None:
    """Sets the state of a failed move without saving it.

    If the move was refused and none of its calls can have taken effect, the move is closed. Otherwise it stays `failed`
    until the big-data side has been queried, and also after that if the records disagree.
    """
    refused = row.definite and not row.may_have_acted
    row.definite = refused
    if row.order.undo_since or (refused and not row.differs):
        row.state, row.next_try_at = Dispatch.State.CLOSED, None


def follow_move(row: Dispatch, *, now: datetime.datetime, by: str) -> None:
    """Carries out the consequences of a move that has ended. The order must be locked.

    Does nothing if the order is being undone.
    """
    if row.order.undo_since:
        return
    if row.state == Dispatch.State.DONE:
        _accept(row, moved_to(row), now=now, by=by)
    elif row.state == Dispatch.State.CLOSED:
        _open(row, "move_refused" if row.attempts else "move_called_off", now=now)
    elif row.state == Dispatch.State.FAILED and row.definite:
        _open(row, "move_unlike", now=now)
    elif row.state == Dispatch.State.FAILED:
        _ask(row, now)
        _open(row, "move_unknown", now=now)


def _accept(move: Dispatch, start: datetime.datetime, *, now: datetime.datetime, by: str) -> None:
    if start != move.order.start_at:
        move_start_to(move.order, start, now=now, by=by)
    close_troubles(move.order, code=MOVE_FAILED, now=now, by=by)


def _open(move: Dispatch, code: str, *, now: datetime.datetime) -> None:
    start = start_of(move)
    params = {"code": code, "day": f"{start.astimezone(SHANGHAI):%Y-%m-%d}" if start else ""}
    named: dict = {"partner": Partner.BIGDATA.value, "step": move.step, "code": MOVE_FAILED}
    open_incident(move.order, **named, params=params, now=now)


def _ask(move: Dispatch, now: datetime.datetime) -> None:
    """Plans a query of the big-data side. The query runs once no call of the move can take effect any more."""
    move.differs, move.asking = False, True
    move.save(update_fields=NOTES)
    update_rows(
        (BillingRecord(pk=pk, state=BillingRecord.State.UNKNOWN, dispatch=move) for pk in move.records),
        ["state", "dispatch"],
    )
    until = may_act_until(late_calls(orders=[move.order_id], now=now))
    place = {"gate": Dispatch.Gate.START, "not_before": until or now, "position": move.position, "blocking": False}
    place |= question_about("move", move.pk, job=move.order.number) | {"size": len(move.records)}
    enqueue([build_step(move.order, Step.ASK_BILLING, now=now, **place)])
    release(now=now, order_ids=[move.order_id])


def answer_move(row: Dispatch, held: Iterable[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Processes the answer about a move of unknown outcome: the move was accepted, it was refused, or the records
    disagree. The order must be locked."""
    move, order = Dispatch.objects.defer("payload").get(pk=row.asked_step), row.order
    move.order = order
    if order.undo_since or move.superseded or move.state != Dispatch.State.FAILED or not move.asking:
        return
    pairs = _pairs(load_records(move.records).values(), held, order)
    _take_records(pairs)
    starts = _starts(pairs)
    move.asking = False
    if starts == {moved_to(move)}:
        move.state, move.done_at, move.definite = Dispatch.State.DONE, now, True
        _accept(move, moved_to(move), now=now, by=by)
    elif starts == {order.start_at}:
        move.state, move.definite = Dispatch.State.CLOSED, True
        _open(move, "move_refused", now=now)
    else:
        move.differs = True
        _open(move, "move_unlike", now=now)
    move.save(update_fields=["state", "done_at", "definite", *NOTES])


def _pairs(records: Iterable[BillingRecord], held: Iterable[HeldRecord], order: Order) -> Pairs:
    """Pairs each record of the order with the big-data side's record."""
    there = by_identity(held)
    return [(record, there.get(identity(record, order))) for record in records]


def _starts(pairs: Pairs) -> set[datetime.datetime | None]:
    """Returns the starts of the records that are live at the big-data side. The result contains None if a record is not
    live there."""
    return {one.create_time if one and one.live else None for _record, one in pairs}


def _take_records(pairs: Pairs) -> None:
    for record, one in pairs:
        if one:
            take_record(record, one)
    update_rows([record for record, _one in pairs], TAKEN)


def answer_start(row: Dispatch, held: Iterable[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Processes the answer about an order that is older than a restore, on its start day. The order must be locked.

    If all records have the same other start, the order is moved to that start. If the records disagree, the order is
    stopped, as after a move.
    """
    order = row.order
    if order.undo_since or order.start_at is None:
        return
    pairs = _pairs(order.billing_records.filter(state__in=BillingRecord.THERE).order_by("pk"), held, order)
    starts = _starts(pairs)
    if starts <= {order.start_at}:
        return
    _take_records(pairs)
    if len(starts) == 1 and None not in starts:
        move_start_to(order, starts.pop(), now=now, by=by)
        return
    move = build_step(
        order,
        Step.MOVE_START,
        now=now,
        state=Dispatch.State.FAILED,
        position=row.position,
        records=[record.pk for record, _one in pairs],
        new_start=order.start_at,
        call_until=now,
        differs=True,
    )
    enqueue([move])
    _open(move, "move_unlike", now=now)


def earliest(starts: Iterable[datetime.datetime]) -> datetime.datetime:
    """Returns the earliest start. It counts if an order's records disagree, since the customer is billed from then
    on."""
    return min(starts)


def take_move(move: Dispatch, held: Iterable[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Adopts the big-data side's records if they disagree after a move. The earliest createTime counts. The order must
    be locked.

    Raises NotAllowedError if one of the records is not live at the big-data side and the order can still be
    compensated. If the order started more than a day ago, it can't be compensated (contract 3.9, 16). Each missing
    record then becomes an open difference. A fix sends the missing record again with the start. If no record is live at
    the big-data side, the start does not change.
    """
    order, records = move.order, list(load_records(move.records).values())
    pairs = _pairs(records, held, order)
    gone = [(record, one) for record, one in pairs if one is None or not one.live or one.create_time is None]
    if gone and not is_late(order, now):
        raise NotAllowedError("move_not_there", number=order.number, domain=gone[0][0].domain)
    there = [pair for pair in pairs if pair not in gone]
    _take_records(there)
    move.state, move.done_at, move.definite = Dispatch.State.DONE, now, True
    move.save(update_fields=["state", "done_at", "definite"])
    start = earliest([one.create_time for _record, one in there] or [order.start_at])
    _accept(move, start, now=now, by=by)
    _note_gone(order, gone, start, now=now, by=by)


def _note_gone(order: Order, gone: Pairs, start: datetime.datetime, *, now: datetime.datetime, by: str) -> None:
    """Opens a difference for each record in `gone`, which is not live at the big-data side. Our record stays live."""
    for record, _one in gone:
        record.state, record.create_time, record.cancelled_at = BillingRecord.State.LIVE, start, None
    update_rows([record for record, _one in gone], TAKEN)
    found = [
        Discrepancy(
            kind=Difference.Kind.NOT_BILLED if one is None else Difference.Kind.FIELDS,
            product_id=record.product_id,
            domain=record.domain,
            ours="live",
            theirs="missing" if one is None else "cancelled",
            remedy=CREATE,
            record=record.pk,
        )
        for record, one in gone
    ]
    if found:
        open_found(order, found, by=by, now=now)
