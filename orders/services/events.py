"""Writes the history of an order. Append-only: a new row for each thing that happened."""

import datetime
from collections.abc import Iterable

from orders.db.compiled_sql import insert_rows
from orders.models import Order, OrderEvent
from orders.restored_guard import remember


def event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    """An event that is not saved yet, so that a batch is one INSERT. `data` holds what a reader needs, JSON-able."""
    return OrderEvent(order=order, kind=kind, actor=by[:160], at=now, data=data)


def add_event(order: Order | None, kind: str, *, by: str, now: datetime.datetime, **data) -> OrderEvent:
    """Saves one event."""
    row = event(order, kind, by=by, now=now, **data)
    row.save()
    remember(row.pk)
    return row


def add_events(rows: Iterable[OrderEvent]) -> None:
    """Saves events. Once they are committed, this machine remembers the newest (orders.restored_guard)."""
    rows = list(rows)
    insert_rows(rows)
    if rows:
        remember(rows[-1].pk)
