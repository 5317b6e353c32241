"""Queues mails in the outbox; who gets them and what they say is read when they are first tried."""

import datetime

from orders.models import Dispatch, Order

AFTER_THE_PLAN = 900  # mails about what happens to an order stand behind the steps of its plan


def queue_mail(order: Order, mail: str, /, *, now: datetime.datetime, **about) -> Dispatch:
    """Adds a mail step that is due at once and holds up nothing.

    `mail` is one of Dispatch.Step's MAIL_*; `about` goes into its text.
    """
    return Dispatch.objects.create(
        order=order,
        step=mail,
        channel=Dispatch.Channel.MAIL,
        position=AFTER_THE_PLAN,
        blocking=False,
        about=about,
        size=order.domains.count(),
        state=Dispatch.State.DUE,
        next_try_at=now,
        created_at=now,
    )
