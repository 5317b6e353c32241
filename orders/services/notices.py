"""Mails to staff, written beside what they tell. The rest is about notices, the outbox of staff's mails before 1.8.0:
sent by one worker at a time, given up or sent again. Nobody writes one any more.
"""

import datetime
import uuid
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from notifications.models import Mail, Notice
from notifications.recipients import Choice, ContactFacts, distinct
from notifications.sending import MailError
from orders.errors import NotAllowedError
from orders.models import Order
from orders.restored_guard import read_restore_state
from orders.services.order_writes import add_event
from orders.services.outbox.claim import not_paused
from orders.services.outbox.enqueue import wake_sender
from orders.services.outbox.mails import write_notices
from orders.services.outbox.outcome import WORKER_DIED
from orders.services.outbox.retry_schedule import wait_before
from orders.steps import Partner

State = Notice.State
RESENDABLE = [State.FAILED, State.RETRYING, State.DUE]
LOOKED_AT = 20
OUTAGE_GRACE = datetime.timedelta(days=1)  # for so long an outage of the mail server uses up no try
KEPT, REMOVED_AT_ONCE = datetime.timedelta(days=180), 1000
AFTER_OUTAGE = datetime.timedelta(minutes=5)


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
    """Writes a mail to each of these accounts that may log in and has a mail address, in the caller's transaction.

    With a `cause` each address gets one mail of this order (or none), kind and cause; who has one is left out. Returns
    what was written.
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

    `kind` is of TO_CONTACTS. Each address gets one mail of this order, kind and cause. Returns what was written.
    """
    chosen = {one.mail.strip(): Choice((one,)).kept() for one in people}
    mails = distinct(chosen)
    return write_notices(
        kind=kind, mails=mails, chosen=chosen, facts=facts, path=path, now=now, order=order, cause=cause
    )


def send_test_mail(person, /, *, by: str, path: str, now: datetime.datetime) -> list[Mail]:
    """Mails an account's own address, by the way of all mails. Raises NotAllowedError: the account has none."""
    with transaction.atomic():
        rows = notify_staff(
            [person], "notice_test", facts={"at": f"{timezone.localtime(now):%F %T}"}, path=path, now=now
        )
        if not rows:
            raise NotAllowedError("no_own_mail")
        add_event(None, "test_mail_sent", by=by, now=now)
    return rows


# --- notices that a version before 1.8.0 wrote, and the same version's workers beside ours; this goes with 1.9.0


def resume_notices(*, now: datetime.datetime) -> None:
    """Wakes a worker up if a notice is due: its turn has come again, its task was lost, or a sender's time was over."""
    if Notice.objects.due(now).exists():
        wake_sender()


def claim_notice(*, now: datetime.datetime) -> Notice | None:
    """Claims the longest due notice for one sender. None if none is due, mail is paused, or the desk was restored."""
    if read_restore_state().restored:
        return None
    lease = datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
    with transaction.atomic():
        if not not_paused({Partner.MAIL: 1}, now=now):
            return None
        while rows := Notice.objects.due(now).defer("body", "error")[:LOOKED_AT]:
            for row in rows:
                taken = {"lease_token": uuid.uuid4(), "next_try_at": now + lease, "attempts": F("attempts") + 1}
                if row.state == State.SENDING and wait_before(row.attempts) is None:  # the last try told no outcome
                    _as_seen(row).update(**_over(State.FAILED), error_code="lost", error=WORKER_DIED)
                elif _as_seen(row).update(state=State.SENDING, recipients=_still_staff(row.recipients), **taken):
                    return Notice.objects.get(pk=row.pk)
    return None


def record_notice(row: Notice, error: MailError | None, *, now: datetime.datetime) -> None:
    """Notes how a sending ended, if the lease is still ours. An outage uses up no try while the notice is young."""
    ours = Notice.objects.filter(pk=row.pk, state=State.SENDING, lease_token=row.lease_token)
    wait = wait_before(row.attempts)
    if error is None:
        ours.update(**_over(State.SENT), sent_at=now, error_code="", error="", error_params={})
        return
    why = {"error_code": error.code[:32], "error": str(error), "error_params": error.params}
    if error.is_outage and now < row.written_at + OUTAGE_GRACE:
        again = now + AFTER_OUTAGE
        ours.update(state=State.RETRYING, lease_token=None, next_try_at=again, attempts=row.attempts - 1, **why)
    elif error.permanent or wait is None:
        ours.update(**_over(State.FAILED), **why)
    else:
        again = now + datetime.timedelta(seconds=wait)
        ours.update(state=State.RETRYING, lease_token=None, next_try_at=again, **why)


def resend_notice(*, pk: int, by: str, now: datetime.datetime) -> None:
    """A person has a notice that has not gone out sent at once, with all its tries. Raises NotAllowedError."""
    with transaction.atomic():
        left = Notice.objects.filter(pk=pk, state__in=RESENDABLE)
        if not left.update(state=State.DUE, attempts=0, next_try_at=now):
            raise NotAllowedError("notice_not_failed")
        add_event(None, "notice_resent", by=by, now=now, notice=pk)
        wake_sender()


def remove_old_notices(*, now: datetime.datetime) -> int:
    """Removes the mails about no order that went out long ago. Returns how many."""
    notices = Notice.objects.filter(state=State.SENT, written_at__lt=now - KEPT)
    mails = Mail.objects.to_staff().filter(state=Mail.State.DONE, written_at__lt=now - KEPT)
    old = [rows.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE] for rows in (notices, mails)]
    return sum(rows.model.objects.filter(pk__in=list(rows)).delete()[0] for rows in old)


def _still_staff(mails: list[str]) -> list[str]:
    """The default contact, and accounts that may log in: hours can pass since a notice was written."""
    people = get_user_model().objects.filter(is_active=True, is_staff=True).annotate(mail=Lower("email"))
    known = set(people.filter(mail__in=[mail.lower() for mail in mails]).values_list("mail", flat=True))
    known.add(settings.DEFAULT_CONTACT_MAIL.lower())
    return [mail for mail in mails if mail.lower() in known]


def _as_seen(row: Notice) -> QuerySet[Notice]:
    """The row, if nobody has taken it meanwhile."""
    return Notice.objects.filter(pk=row.pk, state=row.state, next_try_at=row.next_try_at)


def _over(state: str) -> dict:
    return {"state": state, "next_try_at": None, "lease_token": None}
