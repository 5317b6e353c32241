"""Records events of staff: personal data viewed, downloads, handled conflicts and notes."""

import datetime
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from notifications.masks import mask_phone
from orders.history.actors import account_id_of, limits_of
from orders.history.order_locks_and_events import add_event, lock_order
from orders.mails.mentions import Mentions, tell_mentioned
from orders.models import Conflict, CustomerNote, Order, OrderEvent
from orders.models.proxies import open_conflicts
from orders.rules.local_time import midnight
from orders.texts.errors import NotAllowedError, check_reason


def note_personal_data_seen(order: Order | None, *, by: str, where: str, now: datetime.datetime) -> None:
    """Records each time that a user viewed unmasked personal data."""
    add_event(order, "personal_data_seen", by=by, now=now, where=where)


def note_personal_data_read(order: Order, *, by: str, now: datetime.datetime) -> None:
    """Records once per day and order that a token read personal data, since another system may query each minute."""
    today = midnight(timezone.localdate(now))
    if not OrderEvent.objects.filter(order=order, kind="personal_data_seen", actor=by[:160], at__gte=today).exists():
        note_personal_data_seen(order, by=by, where="API", now=now)


def note_phone_searched(orders: int, *, phone: str, by: str, now: datetime.datetime) -> None:
    """Records that a user searched for a phone number, masked, and how many orders have it. Results are masked."""
    add_event(None, "phone_searched", by=by, now=now, orders=orders, phone=mask_phone(phone))


def note_download(order: Order, *, file: str, by: str, now: datetime.datetime) -> None:
    add_event(order, "attachment_downloaded", by=by, now=now, file=file)


def note_evidence(order: Order, *, personal: bool, reason: str, by: str, now: datetime.datetime) -> None:
    kind = "evidence_personal" if personal else "evidence_taken"
    add_event(order, kind, by=by, now=now, **({"reason": reason} if reason else {}))


def see_conflicts(*, number: str, newest: int, reason: str, by: str, now: datetime.datetime) -> Order:
    """Records that a user has handled an order's conflicts up to `newest`.

    `newest` is the id of the last message shown to the user. Raises OrderUnknownError and NotAllowedError (no conflict
    is open, or the reason is blank).
    """
    check_reason(reason, "having seen to a conflict")
    with transaction.atomic():
        order = lock_order(number)
        _see(order, open_conflicts().filter(order_number=number, pk__lte=newest), reason=reason, by=by, now=now)
    return order


def see_conflict(message: Conflict, *, reason: str, by: str, now: datetime.datetime) -> None:
    """Records that a user has handled this conflict. Raises the same errors as `see_conflicts`."""
    check_reason(reason, "having seen to a conflict")
    with transaction.atomic():
        order = lock_order(message.order_number)
        _see(order, open_conflicts().filter(pk=message.pk), reason=reason, by=by, now=now)


def _see(order: Order, rows: QuerySet[Conflict], *, reason: str, by: str, now: datetime.datetime) -> None:
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    if why := why_not_see(order, ids):
        raise why
    rows.update(seen=add_event(order, "conflict_seen", by=by, now=now, reason=reason.strip(), messages=ids))


def why_not_see(order: Order, open_ones: Collection) -> NotAllowedError | None:
    """Returns the error if there is no open conflict, otherwise None. `open_ones`: the order's unhandled conflicts."""
    return None if open_ones else NotAllowedError("no_conflict", number=order.number)


def add_note(*, number: str, reason: str, by: str, now: datetime.datetime, tell: bool = True) -> Mentions | None:
    """Adds a note to an order, and notifies the accounts mentioned with `@` unless `tell` is False. If the order's last
    note has the same text and author, adds nothing and returns None, since a form was sent twice.

    Raises OrderUnknownError and NotAllowedError (the text is blank).
    """
    if not reason.strip():
        raise NotAllowedError("no_note")
    with transaction.atomic():
        order = lock_order(number)
        last = order.events.filter(kind="note").order_by("-pk").first()
        if last and (last.actor, last.data.get("reason")) == (by[:160], reason.strip()):
            return None
        event = add_event(order, "note", by=by, now=now, reason=reason.strip())
        if not tell:
            return Mentions()
        path = reverse("admin:orders_order_change", args=[order.pk])
        title = f"{order.number} {order.enterprise_name}".strip()
        return tell_mentioned(reason.strip(), order, event, title=title, about=order.number, path=path, by=by, now=now)


def note_customer(*, enterprise_id: str, text: str, by: str, now: datetime.datetime) -> CustomerNote:
    """Adds a note to a customer. Line breaks become spaces. Raises NotAllowedError (the text is blank)."""
    text = " ".join(text.split())
    if not text:
        raise NotAllowedError("no_note")
    with transaction.atomic():
        add_event(None, "customer_noted", by=by, now=now, customer=enterprise_id, note=text)
        return CustomerNote.objects.create(
            enterprise_id=enterprise_id,
            at=now,
            by=by[:160],
            account_id=account_id_of(by),
            text=text,
            scope=limits_of(by, now),
        )
