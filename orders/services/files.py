"""Holds an order whose info-security files are not right (contract 3.7)."""

import datetime

from orders.models import Dispatch, Order
from orders.services.events import add_event
from orders.services.incidents import close_troubles, open_incident
from orders.services.mails import queue_mail


def hold_for_files(row: Dispatch, outcome, *, now: datetime.datetime, by: str) -> None:
    """The order is held; its SA is mailed once per finding, however often the files are looked at."""
    order = row.order
    if order.undo_since:
        return
    same = order.held_because == Order.Held.FILES and order.troubles.filter(
        closed_at=None, incident__step=row.step, incident__code=outcome.code, detail=outcome.message
    )
    if same and same.exists():
        return
    if order.held_because:
        close_troubles(order, step=row.step, now=now, by=by)
    order.held_because = Order.Held.FILES
    add_event(order, "held", by=by, now=now, because=order.held_because, code=outcome.code, detail=outcome.message)
    open_incident(order, partner="files", step=row.step, code=outcome.code, detail=outcome.message, now=now, mail=False)
    queue_mail(order, Dispatch.Step.MAIL_HELD, now=now, because=outcome.code, detail=outcome.message)


def end_files_hold(order: Order) -> None:
    """The files are right now, or waived."""
    if order.held_because == Order.Held.FILES:
        order.held_because = Order.Held.NOT
