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
    """Writes each address a notice, in the caller's transaction. `kind` names the template, `path` a page of ours."""
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
