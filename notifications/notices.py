"""Writes notices: mails to staff about no order. They are sent from their own rows (orders/services/notices.py)."""

import datetime
import uuid
from collections.abc import Iterable, Mapping

from notifications.mail_facts import one_line
from notifications.mail_texts import render
from notifications.models import Notice


def write_notices(
    *, kind: str, mails: Iterable[str], facts: Mapping[str, object], path: str, now: datetime.datetime
) -> list[Notice]:
    """Writes each address a notice of its own, due at once, in the caller's transaction: what it tells is then true.

    `kind` names the template, `facts` what it says; `path` is the page where the reader goes on.
    """
    subject, body = render(kind, {name: one_line(value) for name, value in facts.items()} | {"admin_path": path})
    return [
        Notice.objects.create(
            kind=kind,
            message_id=f"<{uuid.uuid4()}@ibs-order-desk>",
            recipients=[mail],
            subject=subject,
            body=body,
            written_at=now,
            next_try_at=now,
        )
        for mail in mails
    ]
