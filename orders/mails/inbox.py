"""Messages to accounts (contract 3.13), written with their cause; the sweep writes those of changed orders."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db.models import Exists, F, Model, OuterRef, QuerySet

from orders.history.actors import account_id_of
from orders.history.order_locks_and_events import add_event, lock_order
from orders.history.owners import staff_with
from orders.models import Customer, Message, Order, OrderEvent, Watch
from orders.rules.local_time import SHANGHAI, midnight
from orders.texts.errors import NotAllowedError

KEPT, LOOKED_BACK = datetime.timedelta(days=90), datetime.timedelta(days=1)
MAX_AHEAD = datetime.timedelta(days=3653)
AT_ONCE = 1000
MAX_COUNTED = 100
MANY = 0
"""Value of a message's `row`: its event counts several rows."""
CHANGES = ["state", "incident"]
"""Kinds of events that the owner of an order is told of."""


def send_message(
    kind: Message.Kind, event: OrderEvent, row: Model, people: Iterable[int], *, at: datetime.datetime
) -> None:
    """Sends each account, by id, a message that appears at `at`. `row`: the object that the event is about."""
    _save(_message(kind, event, row, pk, at=at) for pk in people)


def _message(kind: Message.Kind, event: OrderEvent, row: Model, recipient: int, *, at: datetime.datetime) -> Message:
    return Message(kind=kind, event=event, model=row._meta.model_name, row=row.pk, recipient_id=recipient, at=at)


def _save(rows: Iterable[Message]) -> None:
    Message.objects.bulk_create(rows, ignore_conflicts=True)


def messages_of(user, *, now: datetime.datetime) -> QuerySet[Message]:
    return Message.objects.filter(recipient=user, at__lte=now)


def unread_words(user, *, now: datetime.datetime) -> str:
    """Returns the number of unread messages, empty for none."""
    number = messages_of(user, now=now).filter(read_at=None)[:MAX_COUNTED].count()
    return f"{MAX_COUNTED - 1}+" if number == MAX_COUNTED else str(number or "")


def tell_owners(*, now: datetime.datetime) -> int:
    """Tells the owners of orders of what changed. Returns the number of messages. Called by the sweep.

    It looks at the events since LOOKED_BACK again each time, since one may be committed after a later one.
    """
    owned = list(Order.objects.filter(owner__isnull=False).order_by("pk").values_list("pk", flat=True))
    told = Message.objects.filter(event=OuterRef("pk"), recipient=OuterRef("order__owner"))
    sent = 0
    for news in _changes_of(owned, now):
        events = news.filter(~Exists(told), at__gt=F("order__owner_since")).exclude(account_id=F("order__owner"))
        rows = [_message(Message.Kind.CHANGED, one, one.order, one.order.owner_id, at=one.at) for one in events]
        _save(rows)
        sent += len(rows)
    return sent


def _changes_of(orders: list[int], now: datetime.datetime) -> Iterator[QuerySet[OrderEvent]]:
    """Yields the changes of these orders since LOOKED_BACK, with their orders, for AT_ONCE orders at a time."""
    news = OrderEvent.objects.filter(kind__in=CHANGES, at__gte=now - LOOKED_BACK).select_related("order").order_by("pk")
    for start in range(0, len(orders), AT_ONCE):
        yield news.filter(order__in=orders[start : start + AT_ONCE])


def tell_watchers(*, now: datetime.datetime) -> int:
    """Tells who watches an order or its customer of what changed, as owners are told. Called by the sweep, after them.

    Who may not see orders, or this one, any more is not told.
    """
    by_order, by_customer = defaultdict(list), defaultdict(list)
    watches = Watch.objects.filter(account__in=staff_with("orders.view_order")).select_related("account")
    for row in watches.prefetch_related("account__attributions"):
        (by_order[row.order_id] if row.order_id else by_customer[row.enterprise_id]).append(row)
    theirs = Order.objects.filter(enterprise_id__in=list(by_customer)).order_by().values_list("pk", flat=True)
    ids, sent = sorted({*by_order, *theirs}), 0
    for news in _changes_of(ids, now):
        events = list(news.select_related("order__attribution").defer("order__content"))
        told = set(Message.objects.filter(event__in=events).values_list("event", "recipient"))
        rows = [
            _message(Message.Kind.WATCHED, one, one.order, account, at=one.at)
            for one in events
            for account in _watchers(one, [*by_order[one.order_id], *by_customer[one.order.enterprise_id]])
            if (one.pk, account) not in told
        ]
        _save(rows)
        sent += len(rows)
    return sent


def _watchers(event: OrderEvent, watches: Iterable[Watch]) -> set[int]:
    """Returns the accounts that hear of the event: they watched before it, did not cause it and may see its order."""
    return {
        row.account_id
        for row in watches
        if row.since < event.at
        and row.account_id != event.account_id
        and (not row.account.limited or event.order.attribution in row.account.attributions.all())
    }


def watch(user, row: Order | Customer, *, now: datetime.datetime) -> None:
    Watch.objects.get_or_create(**_watched(user, row), defaults={"since": now})


def unwatch(user, row: Order | Customer) -> None:
    Watch.objects.filter(**_watched(user, row)).delete()


def is_watched(user, row: Order | Customer) -> bool:
    return Watch.objects.filter(**_watched(user, row)).exists()


def _watched(user, row: Order | Customer) -> dict:
    return {"account": user} | ({"order": row} if isinstance(row, Order) else {"order": None, "enterprise_id": row.pk})


def remind(*, number: str, day: datetime.date, reason: str, by: str, now: datetime.datetime) -> None:
    """Has the account `by` reminded of the order from the midnight of `day`, by the sentence `reason`.

    Raises OrderUnknownError and NotAllowedError (no sentence, or not a day within ten years from tomorrow on).
    """
    if not reason.strip():
        raise NotAllowedError("no_note")
    if why := why_not_on_day(day, now):
        raise why
    order = lock_order(number)
    event = add_event(order, "reminder_set", by=by, now=now, day=day.isoformat(), reason=reason.strip())
    send_message(Message.Kind.REMINDER, event, order, filter(None, [account_id_of(by)]), at=midnight(day))


def why_not_on_day(day: datetime.date, now: datetime.datetime) -> NotAllowedError | None:
    today = now.astimezone(SHANGHAI).date()
    return None if today < day <= today + MAX_AHEAD else NotAllowedError("reminder_day")


def reminders_ahead(user, *, now: datetime.datetime) -> QuerySet[Message]:
    rows = Message.objects.filter(recipient=user, kind=Message.Kind.REMINDER, read_at=None, at__gt=now)
    return rows.order_by("at", "pk")


def take_back(reminder: Message, *, by: str, now: datetime.datetime) -> bool:
    """Removes a reminder whose day has not come. Returns False if it is gone. Call it in a transaction."""
    gone, _by_model = Message.objects.filter(pk=reminder.pk, at__gt=now).delete()
    if gone:
        add_event(reminder.event.order, "reminder_off", by=by, now=now, day=reminder.event.data["day"])
    return bool(gone)


def remove_old_messages(*, now: datetime.datetime) -> int:
    """Removes the messages, read and unread, whose moment is more than KEPT ago. Returns their number."""
    ids = list(Message.objects.filter(at__lt=now - KEPT).order_by("at").values_list("pk", flat=True)[:AT_ONCE])
    return Message.objects.filter(pk__in=ids).delete()[0]
