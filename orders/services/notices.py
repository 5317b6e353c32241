"""The life of a notice to staff: written beside what it tells, sent by one worker at a time, given up or sent again.

It keeps the outbox's promises with less: the row is its own attempt. A worker that died between the sending and its
record leaves the lease to run out, and the same mail goes out again under the same Message-ID.
"""

import datetime
import uuid
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Lower

from notifications.mail_texts import write_notices
from notifications.models import Notice
from notifications.recipients import distinct
from notifications.sending import MailError
from orders.errors import NotAllowedError
from orders.restored_guard import read_restore_state
from orders.services.order_writes import add_event
from orders.services.outbox.claim import not_paused
from orders.services.outbox.enqueue import wake_sender
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
    people: Iterable, kind: str, /, *, facts: Mapping[str, object], path: str, now: datetime.datetime
) -> list[Notice]:
    """Writes a notice to each of these accounts that may log in and has a mail address, in the caller's transaction."""
    mails = distinct(person.email for person in people if person.is_active and person.is_staff)
    rows = write_notices(kind=kind, mails=mails, facts=facts, path=path, now=now)
    if rows:
        wake_sender()
    return rows


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
    """Removes the notices that went out long ago. Returns how many."""
    sent = Notice.objects.filter(state=State.SENT, written_at__lt=now - KEPT)
    pks = list(sent.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE])
    return Notice.objects.filter(pk__in=pks).delete()[0]


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
