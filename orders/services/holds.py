"""Held orders: noted, and set going again when what they waited for is there (contract 2.4, 3.10)."""

import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from orders.errors import NotAllowedError
from orders.models import Order, Province
from orders.services.carrying import carry_out
from orders.services.events import add_event
from orders.services.incidents import close_troubles, open_incident
from orders.services.locking import lock_order
from orders.services.mails import queue_mail
from orders.services.planning import open_claim, settle
from orders.services.progress import refresh_states
from orders.services.wakeup import wake

Held, State = Order.Held, Order.State
WAITS_FOR_TRIAL = [Held.TRIAL_UNKNOWN, Held.TRIAL_HELD]


def note_hold(order: Order, *, now: datetime.datetime, by: str, detail: str = "") -> None:
    """Writes down why the order is held: event, incident, mail."""
    add_event(order, "held", by=by, now=now, because=order.held_because, detail=detail)
    open_incident(order, partner="order", step="", code=order.held_because, detail=detail, now=now, mail=False)
    queue_mail(order, "mail_held", now=now, because=order.held_because, detail=detail)


def settle_followers(trial: Order, *, now: datetime.datetime, by: str, held: list[str] | None = None) -> None:
    """Looks again at the orders that wait for this (locked) trial, in order of arrival."""
    waiting = Order.objects.filter(
        trial_number=trial.number, state=State.HELD, held_because__in=held or WAITS_FOR_TRIAL, undo_since=None
    )
    for order in waiting.order_by("pk").select_for_update(no_key=True):
        order.trial = trial
        settle_again(order, now=now, by=by)


def settle_again(order: Order, *, now: datetime.datetime, by: str) -> bool:
    """Decides anew about a held order (locked, and its trial too); returns whether it goes on."""
    was = order.held_because
    names = list(order.domains.values_list("name", flat=True))
    decision = settle(order, domains=names, claim=open_claim(order.trial), now=now)
    order.save()
    carry_out(order, decision, now=now, again=True)
    if decision.held == was:
        return False
    close_troubles(order, code=was, now=now, by=by)
    if decision.held:
        note_hold(order, now=now, by=by)
        return False
    add_event(order, "went_on", by=by, now=now, was=was)
    add_event(order, "state", by=by, now=now, old=State.HELD, new=order.state)
    refresh_states([order], now=now, by=by)
    if order.kind == Order.Kind.TRIAL:
        settle_followers(order, now=now, by=by)
    return True


def settle_arrived(*, now: datetime.datetime) -> int:
    """Sets going held orders whose trial is there: it may have arrived in the same moment as they did.

    Returns how many were looked at.
    """
    trial = Order.objects.filter(number=OuterRef("trial_number"), kind=Order.Kind.TRIAL)
    waiting = Order.objects.filter(state=State.HELD, held_because=Held.TRIAL_UNKNOWN).filter(Exists(trial))
    numbers = set(waiting.values_list("trial_number", flat=True)[:500])
    for number in numbers:
        with transaction.atomic():
            trial = Order.objects.select_for_update(no_key=True).get(number=number)
            settle_followers(trial, now=now, by="worker")
            wake()
    return len(numbers)


def choose_attribution(*, number: str, letters: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Staff choose the attribution of a held order; it goes on. Raises NotAllowedError."""
    known = sorted(Province.objects.values_list("pk", flat=True))
    if letters not in known:
        raise NotAllowedError(f"attribution {letters!r} is unknown; choose one of {', '.join(known)}")
    with transaction.atomic():
        order = lock_order(number)
        if order.held_because != Held.ATTRIBUTION_UNKNOWN:
            raise NotAllowedError(f"order {number} is not held for its attribution (state {order.state})")
        order.attribution_id = letters
        add_event(order, "attribution_chosen", by=by, now=now, letters=letters, reason=reason)
        settle_again(order, now=now, by=by)
        wake()
    return order
