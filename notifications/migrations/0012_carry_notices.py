"""Makes each notice, a mail to staff of before 1.8.0, a row of Mail. What has not gone out goes out once, by today's way.

A row is moved in one transaction, so it may be stopped and run again, while workers of 1.8.0 send: whichever of the two
has a row first keeps it. One that a worker has under lease stays until its sending is recorded or the lease is over.
"""

import time

from django.conf import settings
from django.db import migrations, transaction
from django.db.models import Q
from django.utils import timezone

BATCH = 500
LOOK_AGAIN = 1  # seconds
STATES = {"sent": "done"}  # the others have the same name


def carry(apps, schema_editor) -> None:
    """Ends when no notice is left, at the latest when the last lease is over (DISPATCH_LEASE_SECONDS)."""
    alias = schema_editor.connection.alias
    notices = apps.get_model("notifications", "Notice").objects.using(alias)
    mails = apps.get_model("notifications", "Mail").objects.using(alias)
    while True:
        under_lease = Q(state="sending", next_try_at__gt=timezone.now())
        with transaction.atomic(using=alias):
            rows = list(notices.exclude(under_lease).order_by("pk").select_for_update()[:BATCH])
            mails.bulk_create(mails.model(**as_mail(row)) for row in rows)
            notices.filter(pk__in=[row.pk for row in rows]).delete()
        if not rows:
            if not notices.exists():
                return
            time.sleep(LOOK_AGAIN)


def as_mail(row) -> dict:
    """The fields of a mail to staff. It has no cause: nothing of today is compared with it."""
    same = ("kind", "message_id", "recipients", "subject", "body", "account_id", "written_at", "attempts")
    same += ("next_try_at", "sent_at", "error_code", "error", "error_params")
    tried = row.state in ("sending", "retrying")
    tries = len(settings.DISPATCH_RETRY_SECONDS)
    return {name: getattr(row, name) for name in same} | {
        "state": STATES.get(row.state, row.state),
        "addressee": (row.recipients or ["-"])[0].lower()[:254],  # never empty: its text is not written anew
        "tries_left": max(tries - row.attempts, 0) if tried else None,
        "frozen_at": row.written_at if tried else None,  # it was tried at once
    }


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0011_mail_rules")]
    operations = [migrations.RunPython(carry, migrations.RunPython.noop)]
