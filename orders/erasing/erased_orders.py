"""Orders whose personal data were erased: what is refused for them, and what later messages leave behind (contract
3.14)."""

import datetime
from collections.abc import Iterable

from django.utils import timezone

from orders.erasing.over_lines import is_over
from orders.erasing.personal_texts import People, personal_values
from orders.models import Erasure, InboundMessage, Order
from orders.texts.errors import NotAllowedError


def erased_at(number: str) -> datetime.datetime | None:
    """Returns when the order's personal data were last erased, or None."""
    return Erasure.objects.filter(order__number=number).order_by("-pk").values_list("at", flat=True).first()


def why_erased(orders: Iterable[Order]) -> dict[int, NotAllowedError]:
    """Returns, by id, the reason why an erased order is not sent or opened again. Makes at most one query."""
    over = {order.pk: order.number for order in orders if is_over(order)}
    rows = Erasure.objects.filter(order__in=over).order_by("pk").values_list("order", "at") if over else ()
    return {pk: NotAllowedError("erased", number=over[pk], day=timezone.localdate(at).isoformat()) for pk, at in rows}


def without_people(text: str) -> str:
    """Returns a message without personal data."""
    return People(personal_values({"": text})).text(text)


def erase_later(message: InboundMessage) -> None:
    """Erases the personal data of a message for an erased order, before the message is stored."""
    if erased_at(message.order_number):
        message.body, message.hint = without_people(message.body), without_people(message.hint)
