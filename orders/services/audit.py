"""Notes what people looked at: phones, mails and names opened, files downloaded, what they wrote down and saw to."""

import datetime
from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from orders.errors import NotAllowedError, check_reason
from orders.models import Order, OrderEvent
from orders.models.proxies import open_conflicts
from orders.services.events import add_event
from orders.services.order_state import lock_order


def note_personal_data_seen(order: Order | None, *, by: str, where: str, now: datetime.datetime) -> bool:
    """Once for each person, order and day (of Asia/Shanghai); True if it was noted now.

    Without an order (a message that names none of ours): once for each person, `where` and day.
    """
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    seen = OrderEvent.objects.filter(order=order, kind="personal_data_seen", actor=by[:160], at__gte=midnight)
    if (seen if order else seen.filter(data__where=where)).exists():
        return False
    add_event(order, "personal_data_seen", by=by, now=now, where=where)
    return True


def note_download(order: Order, *, file: str, by: str, now: datetime.datetime) -> None:
    """Each download of an info-security file."""
    add_event(order, "attachment_downloaded", by=by, now=now, file=file)


def see_conflicts(*, number: str, newest: int, reason: str, by: str, now: datetime.datetime) -> Order:
    """A person has seen to the messages that came with an order's number and other content, up to `newest` (the id of
    the last that they were shown). Raises OrderUnknownError, NotAllowedError (none is open, or a blank reason)."""
    check_reason(reason, "having seen to a conflict")
    with transaction.atomic():
        order = lock_order(number)
        rows = open_conflicts().filter(order_number=number, pk__lte=newest)
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        if why := why_not_see(order, ids):
            raise why
        seen = add_event(order, "conflict_seen", by=by, now=now, reason=reason.strip(), messages=ids)
        rows.update(seen=seen)
    return order


def why_not_see(order: Order, open_ones: Collection) -> NotAllowedError | None:
    """Why there is nothing to see to; None if there is. `open_ones`: the order's conflicts that nobody has seen to."""
    return None if open_ones else NotAllowedError("no_conflict", number=order.number)


def add_note(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """A person's remark on an order. Raises OrderUnknownError, NotAllowedError (nothing written)."""
    if not reason.strip():
        raise NotAllowedError("no_note")
    with transaction.atomic():
        order = lock_order(number)
        add_event(order, "note", by=by, now=now, reason=reason.strip())
    return order
