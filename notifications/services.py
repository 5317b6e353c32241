"""Writes mails. Recipients and text are decided once, at the first attempt (contract 3.9, Mail)."""

import datetime
import uuid

from django.conf import settings
from django.template import Context
from django.template.loader import get_template
from django.utils import translation

from notifications.mail_facts import MailFacts, one_line
from notifications.models import Mail
from notifications.recipients import recipients_for
from notifications.sending import MailError, send

__all__ = ["MailError", "MailFacts", "mail_payload", "send", "write_mail"]

LANGUAGE = "zh-hans"  # SAs read this language, whoever caused the mail
LONGEST_SUBJECT = 200


def write_mail(
    *,
    dispatch_id: int,
    dispatch_key: uuid.UUID,
    order_id: int | None,
    kind: str,
    facts: MailFacts,
    letters: str,
    now: datetime.datetime,
) -> Mail:
    """The mail of this dispatch. Writes it unless it was written before.

    `kind` names the template (one of Dispatch.Step's MAIL_*). `letters` is the attribution whose contacts get the mail;
    if empty, the default contact gets it. The Message-ID comes from the dispatch's key. Raises TemplateDoesNotExist for
    an unknown kind.
    """
    written = Mail.objects.filter(dispatch_id=dispatch_id).first()
    if written:
        return written
    subject, body = _render(kind, facts)
    fields = {
        "order_id": order_id,
        "kind": kind,
        "message_id": f"<{dispatch_key}@ibs-order-desk>",
        "recipients": recipients_for(letters),
        "subject": subject,
        "body": body,
        "written_at": now,
    }
    return Mail.objects.get_or_create(dispatch_id=dispatch_id, defaults=fields)[0]


def mail_payload(mail: Mail) -> dict:
    """What `send` needs, as JSON: subject, body, to (a list), message_id, from."""
    return {
        "subject": mail.subject,
        "body": mail.body,
        "to": mail.recipients,
        "message_id": mail.message_id,
        "from": settings.DEFAULT_FROM_EMAIL,
    }


def _render(kind: str, facts: MailFacts) -> tuple[str, str]:
    """(subject, text): the first line of the template, and the rest."""
    with translation.override(LANGUAGE):
        template = get_template(f"notifications/{kind}.txt").template
        known = facts.for_template()
        known["admin_path"] = f"{settings.SITE_URL}{known['admin_path']}" if known["admin_path"] else ""
        text = template.render(Context(known, autoescape=False))  # the mail is not HTML
    subject, _, body = text.strip().partition("\n")
    return one_line(subject)[:LONGEST_SUBJECT], body.strip() + "\n"
