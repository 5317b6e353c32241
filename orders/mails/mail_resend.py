"""Sends mails again, for pages and commands (contract 3.12; section 5, `resend --channel mail`)."""

import datetime
import uuid

from django.db import transaction

from notifications.models import Mail
from orders.history.order_locks_and_events import add_event
from orders.mails.mail_creation import queue_copy
from orders.outbox.enqueue import wake
from orders.texts.errors import NotAllowedError

RESENDABLE = [Mail.State.FAILED, Mail.State.RETRYING, Mail.State.DUE]


@transaction.atomic
def resend_mail(*, pk: int, by: str, now: datetime.datetime) -> None:
    """Sends an unsent mail at once on a user's request, with all its attempts. Raises NotAllowedError."""
    row = Mail.objects.select_for_update(no_key=True, of=("self",)).select_related("order").get(pk=pk)
    if row.state not in RESENDABLE:
        raise NotAllowedError("notice_not_failed")
    add_event(row.order, "mail_resent", by=by, now=now, mail=pk, step=row.kind)
    send_again(row, now=now)
    wake()


def send_again(row: Mail, *, now: datetime.datetime) -> None:
    """Queues a locked mail again; a delivered mail is copied.

    A definitely refused mail is rewritten for the present contacts. Any other mail, and one to staff, whose text is
    fixed, is sent unchanged with the same Message-ID.
    """
    if row.state == Mail.State.DONE:
        queue_copy(row, now=now)
        return
    if is_written_anew(row):
        row.message_id = f"<{uuid.uuid4()}@ibs-order-desk>"
        row.subject, row.body, row.recipients, row.fate, row.frozen_at = "", "", [], {}, None
        row.chosen = None
    row.state, row.next_try_at, row.tries_left, row.lost = Mail.State.DUE, now, None, 0
    row.save()


def is_written_anew(row: Mail) -> bool:
    """Returns True if a resent mail gets new recipients, a new text and a new Message-ID."""
    return row.state == Mail.State.FAILED and row.definite and not row.addressee
