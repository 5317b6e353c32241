"""Answers orders and calls that are already known, as a repeat or as a conflict (contract 2.3, 3.10)."""

from django.db import transaction
from django.utils import timezone

from orders.erasing.erased_orders import erase_later
from orders.history.order_locks_and_events import lock_order
from orders.intake.manual_trials import ENTERED, note_difference
from orders.models import AcceptedCall, InboundMessage, Order
from orders.rules.content import HashOf, OrderContent, Receipt
from orders.texts.errors import OrderConflictError, RepeatCallError


def answer_known(
    content: OrderContent, digest: str, hash_of: HashOf, trans_ido: str, message: InboundMessage
) -> Receipt | None:
    """Returns the answer for a known order, or None if the order is unknown. Raises RepeatCallError and
    OrderConflictError.

    Any message for a number that staff entered is accepted. If its content differs, staff decide (contract 3.10).
    """
    call = AcceptedCall.objects.filter(trans_ido=trans_ido).first()
    if call and not call.says(digest, hash_of):
        raise RepeatCallError("call_repeated")
    order = Order.objects.filter(number=content.number).first()
    if order is None:
        return None
    if order.content_hash == digest or hash_of(order.content) == digest:
        return answer_again(order, digest, trans_ido, message, known=call is not None)
    if not order.events.filter(kind=ENTERED).exists():
        raise OrderConflictError("order_conflict", number=content.number)
    with transaction.atomic():
        order = lock_order(content.number)
        note_difference(order, content, digest, now=timezone.now())
        return answer_again(order, digest, trans_ido, message, known=call is not None)


def answer_again(order: Order, digest: str, trans_ido: str, message: InboundMessage, *, known: bool) -> Receipt:
    """Returns the first answer again. Stores only the message and, if it is new, the transIDO."""
    message.trans_idh, message.pk = order.trans_idh, None
    erase_later(message)
    with transaction.atomic():
        if not known:
            AcceptedCall.objects.get_or_create(trans_ido=trans_ido, defaults={"content_hash": digest, "order": order})
        message.save(force_insert=True)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=True)
