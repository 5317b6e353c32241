"""Mails the SAs about an order that awaits BPM's approval, so that the SAs get a decision. At most one mail a day is
sent per order."""

import datetime

from django.db import transaction
from django.utils import timezone

from notifications.contacts_and_recipients import ContactFacts, contacts_for, is_address
from notifications.mail_rendering import render_notice
from notifications.masks import mask_name
from orders.history.actors import actor_kept, actor_of
from orders.history.order_locks_and_events import add_event, lock_order
from orders.incidents.awaiting_approval import asked_at
from orders.mails.notices import notify_contacts
from orders.models import Order, OrderEvent
from orders.rules.local_time import midnight
from orders.texts.bpm_task import task_url
from orders.texts.errors import NotAllowedError

PUSHED, KIND = "pushed", "notice_push"


def whom_to_push(order: Order) -> list[ContactFacts]:
    """Returns the SA contacts of the order's attribution, or their substitutes."""
    return contacts_for(order.attribution_id or "")


def whom_to_mail(order: Order) -> list[ContactFacts]:
    """Returns the contacts who get the mail. Raises NotAllowedError if there is no such contact."""
    people = [one for one in whom_to_push(order) if is_address(one.mail.strip())]
    if not people:
        raise NotAllowedError("nobody_to_push")
    return people


def pushed_today(order: Order, now: datetime.datetime) -> OrderEvent | None:
    today = midnight(timezone.localdate(now))
    return order.events.filter(kind=PUSHED, at__gte=today).order_by("-pk").first()


def why_not_push(order: Order, pushed: OrderEvent | None) -> NotAllowedError | None:
    """Returns the error if the SAs can't be mailed now, or None if they can. `pushed`: today's event, if any."""
    if order.state != Order.State.AWAITING_APPROVAL:
        return NotAllowedError("not_awaiting", state=order.get_state_display())
    if pushed is not None:
        who = actor_of(actor_kept(pushed.actor, pushed.account_id), pushed.account_id, pushed.at)[0]
        return NotAllowedError("pushed_today", who=who, at=f"{timezone.localtime(pushed.at):%H:%M}")
    return None


def push_approval(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Mails the SAs, and adds an event to the order's history. `reason` is a remark for the SAs, and may be empty.

    Raises OrderUnknownError and NotAllowedError (the order does not wait for approval, the SAs were mailed today
    already, or there is no contact with a mail address).
    """
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_push(order, pushed_today(order, now)):
            raise why
        people = whom_to_mail(order)
        named = [mask_name(one.name) for one in people]
        add_event(order, PUSHED, by=by, now=now, people=named, reason=reason.strip())
        notify_contacts(
            people,
            KIND,
            facts=push_facts(order, by=by, remark=reason, now=now),
            path=_page(order),
            now=now,
            order=order,
            cause=timezone.localdate(now).isoformat(),
        )
    return order


def push_text(order: Order, *, by: str, now: datetime.datetime) -> str:
    """Returns the mail as it would be sent now, without a remark: the subject, an empty line, the text."""
    subject, body = render_notice(KIND, push_facts(order, by=by, remark="", now=now), _page(order))
    return f"{subject}\n\n{body}"


def waits_since(order: Order) -> datetime.datetime:
    """Returns when BPM accepted the work order."""
    asked = Order.objects.filter(pk=order.pk).values_list(asked_at(), flat=True).first()
    return asked or order.state_since or order.received_at


def days_waited(since: datetime.datetime, now: datetime.datetime) -> int:
    """Returns the number of calendar days waited: 0 on the first day, 1 on the next."""
    return (timezone.localdate(now) - timezone.localdate(since)).days


def push_facts(order: Order, *, by: str, remark: str, now: datetime.datetime) -> dict[str, object]:
    since = waits_since(order)
    return {
        "order_number": order.number,
        "enterprise_name": order.enterprise_name,
        "attribution": str(order.attribution or ""),
        "process": order.bpm_process,
        "since": f"{timezone.localtime(since):%Y-%m-%d %H:%M}",
        "days": days_waited(since, now) or "",
        "who": actor_of(by)[0],
        "remark": remark.strip(),
        "task_url": task_url(order),
    }


def _page(order: Order) -> str:
    return f"/admin/orders/order/{order.pk}/change/"
