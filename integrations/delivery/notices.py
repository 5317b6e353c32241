"""Sends notices to staff, one after another. They are few, and each is sent within the partners' total time-out."""

import logging
import time

from django.utils import timezone

from integrations.delivery.circuit_breaker import open_partners
from integrations.delivery.mail import send_in_time
from integrations.outbound.http import clean
from integrations.worker.parent_link import ending
from notifications.models import Notice
from notifications.services import MailError, mail_payload
from orders.services.notices import claim_notice, record_notice
from orders.steps import Partner

logger = logging.getLogger(__name__)
BEGIN_FOR = 8.0  # seconds; a run ends before a stopping worker would be killed, whatever the mail server does


def send_due_notices() -> int:
    """Sends what is due, unless mail is held back. Returns how many were tried."""
    began, tried = time.monotonic(), 0
    while not ending.is_set() and time.monotonic() - began < BEGIN_FOR and Partner.MAIL not in open_partners():
        row = claim_notice(now=timezone.now())
        if row is None:
            break
        record_notice(row, _send(row), now=timezone.now())
        tried += 1
    return tried


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
