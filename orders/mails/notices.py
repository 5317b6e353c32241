"""Mails to persons, written in the transaction of their cause. Those not about an order are removed after KEPT."""

import datetime
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.utils import timezone

from notifications.contacts_and_recipients import Choice, ContactFacts, distinct
from notifications.models import Mail
from orders.history.order_locks_and_events import add_event
from orders.mails.mail_creation import write_notices
from orders.models import Order
from orders.texts.errors import NotAllowedError

KEPT, REMOVED_AT_ONCE = datetime.timedelta(days=180), 1000


def notify_staff(
    people: Iterable,
    kind: str,
    /,
    *,
    facts: Mapping[str, object],
    path: str,
    now: datetime.datetime,
    order: Order | None = None,
    cause: str = "",
) -> list[Mail]:
    """Writes a mail to each of these accounts that may log in and has an address. Call it in the transaction of the
    change.

    With a `cause` each address gets one mail of this order (or none), kind and cause. Returns the mails written.
    """
    mails = distinct(person.email for person in people if person.is_active and person.is_staff)
    return write_notices(kind=kind, mails=mails, facts=facts, path=path, now=now, order=order, cause=cause)


def notify_contacts(
    people: Iterable[ContactFacts],
    kind: str,
    /,
    *,
    facts: Mapping[str, object],
    path: str,
    now: datetime.datetime,
    order: Order,
    cause: str,
) -> list[Mail]:
    """Writes a mail about an order to each of these contacts that has an address, in the caller's transaction.

    `kind` is one of TO_CONTACTS. Each address gets one mail of this order, kind and cause. Returns the mails written.
    """
    chosen = {one.mail.strip(): Choice((one,)).kept() for one in people}
    mails = distinct(chosen)
    return write_notices(
        kind=kind, mails=mails, chosen=chosen, facts=facts, path=path, now=now, order=order, cause=cause
    )


def send_test_mail(person, /, *, by: str, path: str, now: datetime.datetime) -> list[Mail]:
    """Sends a mail to an account's own address through the normal queue. Raises NotAllowedError if it has none."""
    with transaction.atomic():
        rows = notify_staff(
            [person], "notice_test", facts={"at": f"{timezone.localtime(now):%F %T}"}, path=path, now=now
        )
        if not rows:
            raise NotAllowedError("no_own_mail")
        add_event(None, "test_mail_sent", by=by, now=now)
    return rows


def remove_old_notices(*, now: datetime.datetime) -> int:
    """Removes delivered mails not about an order after KEPT. Returns their number."""
    old = Mail.objects.to_staff().filter(state=Mail.State.DONE, written_at__lt=now - KEPT)
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE])
    return Mail.objects.filter(pk__in=ids).delete()[0]
