"""Orders whose personal data were erased: what is refused for them, and what later messages leave behind (contract
3.14)."""

import datetime

from django.utils import timezone

from orders.erasing.personal_texts import People, personal_values
from orders.models import Erasure, InboundMessage, Order
from orders.texts.errors import NotAllowedError


def erased_at(number: str) -> datetime.datetime | None:
    """Returns when the order's personal data were last erased, or None."""
    return Erasure.objects.filter(order__number=number).order_by("-pk").values_list("at", flat=True).first()


def why_erased(order: Order) -> NotAllowedError | None:
    """Returns the reason why the order is not sent or opened again, or None if its personal data were not erased."""
    at = erased_at(order.number)
    return NotAllowedError("erased", number=order.number, day=timezone.localdate(at).isoformat()) if at else None


def without_people(text: str) -> str:
    """Returns a message without personal data."""
    return People(personal_values({"": text})).text(text)


def erase_later(message: InboundMessage) -> None:
    """Erases the personal data of a message for an erased order, before the message is stored."""
    if erased_at(message.order_number):
        message.body, message.hint = without_people(message.body), without_people(message.hint)
