"""Sends notices of before 1.8.0 to staff, one after another, by one worker at a time. It goes with 1.9.0.

Each is sent within the partners' total time-out. A server that does not answer ends the run.
"""

import datetime
import logging
import time

from django.conf import settings
from django.utils import timezone

from integrations.delivery.mail import send_in_time
from integrations.delivery.rate import wait_for_slot
from integrations.outbound.http import clean
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from notifications.mail_texts import mail_payload
from notifications.models import Notice
from notifications.sending import MailError
from orders.services.notices import claim_notice, record_notice, resume_notices
from orders.steps import Partner

logger = logging.getLogger(__name__)
BEGIN_FOR = 8.0  # seconds; a run ends before a stopping worker would be killed, whatever the mail server does


def send_due_notices() -> int:
    """Sends what is due, where no other process does and mail is not held back. Returns how many were tried.

    What is left when its time is over goes out with the next run, which it queues. After an outage that is the sweep's.
    """
    lease = Lease("notices", held_for=datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS))
    if not lease.is_free() or not lease.take():
        return 0
    until, tried, error = time.monotonic() + BEGIN_FOR, 0, None
    try:
        while _may_go_on(until) and lease.take():
            row = claim_notice(now=timezone.now())
            if row is None:
                break
            error = _send(row)
            record_notice(row, error, now=timezone.now())
            tried += 1
            if error and error.is_outage:
                break
    finally:
        lease.give_back()
    if tried and not (error and error.is_outage):
        resume_notices(now=timezone.now())
    return tried


def _may_go_on(until: float) -> bool:
    """Whether another mail may begin, when PARTNER_RATE lets it."""
    return not ending.is_set() and time.monotonic() < until and wait_for_slot(Partner.MAIL, latest=until)


def _send(row: Notice) -> MailError | None:
    """Sends a claimed notice. Whatever goes wrong becomes an error, never an exception."""
    try:
        send_in_time(mail_payload(row))
    except MailError as error:
        return error
    except Exception as error:  # a fault of ours must not stop the other notices
        logger.exception("notice %s", row.pk)
        return MailError(clean(repr(error))[:300], permanent=False, code="internal")
    return None
