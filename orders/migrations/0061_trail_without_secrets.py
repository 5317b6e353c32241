"""Cuts secrets from the words of commands in the trail, which versions before 1.11.0 kept whole, and notes how many rows
it changed.

It may be stopped and run again: what was cut stays as it is. The guard is lifted for rows that hold something, a batch
at a time; on PostgreSQL nobody writes the trail for that moment.
"""

import datetime

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from orders.db.trail_guard import entries
from orders.texts.secrets_in_text import kept_words

BATCH = 500


def cut(apps, schema_editor) -> None:
    connection = schema_editor.connection
    rows, last = apps.get_model("orders", "TrailEntry").objects.using(connection.alias), 0
    while batch := list(rows.filter(code="command", pk__gt=last).order_by("pk")[:BATCH]):
        last, changed = batch[-1].pk, []
        for row in batch:
            words = str(row.data.get("words", ""))
            if (left := kept_words(words)) != words:
                row.data["words"] = left
                changed.append(row)
        if changed:
            with entries.lifted(connection):
                rows.bulk_update(changed, ["data"], batch_size=50)
                note(rows, len(changed))


def note(rows, count: int) -> None:
    now = timezone.now()
    until = now + datetime.timedelta(days=settings.AUDIT_DAYS)
    about = {"code": "secrets_cut", "actor": "system", "about": "orders.0061", "data": {"count": count}}
    rows.create(at=now, keep_until=until, **about)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0002_squashed_0060_mail_indexes_again")]
    operations = [migrations.RunPython(cut, migrations.RunPython.noop)]
