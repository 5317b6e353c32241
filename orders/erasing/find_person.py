"""Finds the orders and messages with an operator's phone or mail (contract section 5, `erase`)."""

import re

from django.db.models import Q

from notifications.masks import folded
from orders.erasing.erased_orders import without_people
from orders.models import InboundMessage, Order

LAST = 4  # digits of a phone that are compared in the database


def numbers_with(*, phone: str = "", mail: str = "") -> list[str]:
    """Returns the numbers of our orders with this operator or with a message that has the phone or mail. Reads all
    orders and messages."""
    known = Order.objects.filter(number__in=_messages(phone, mail).values("order_number"))
    numbers = set(known.values_list("number", flat=True))
    if phone:
        tails = Order.objects.filter(oper_tel__contains=phone[-LAST:]).values_list("number", "oper_tel")
        numbers |= {number for number, tel in tails if _digits(tel).endswith(_digits(phone))}
    elif mail:
        numbers |= set(Order.objects.filter(oper_mail__iexact=mail.strip()).values_list("number", flat=True))
    return sorted(numbers)


def erase_unknown_orders(phone: str, mail: str, *, dry_run: bool) -> int:
    """Erases the personal data of messages with the phone or mail whose order we do not have. Returns their number."""
    orders = Order.objects.filter(number__in=_messages(phone, mail).values("order_number")).values("number")
    rows = _messages(phone, mail).exclude(order_number__in=orders)
    for row in rows if not dry_run else ():
        body, hint = without_people(row.body), without_people(row.hint)
        InboundMessage.objects.filter(pk=row.pk).update(body=body, hint=hint)
    return rows.count()


def _messages(phone: str, mail: str):
    return InboundMessage.objects.filter(Q(body__contains=phone.strip() or mail.strip())).order_by("pk")


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", folded(phone))
