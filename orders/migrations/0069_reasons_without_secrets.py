"""Cuts secrets from the reasons and notes of staff that versions before 1.11.0 kept whole, and notes how many rows of
the trail it changed. The approval history and mails stay as they are: both are told as they were.

As orders.0061, it may be stopped and run again, and lifts a table's guard for the batches that hold something.
"""

import datetime

from django.conf import settings
from django.db import migrations
from django.db.models import Q
from django.utils import timezone

from orders.db.trail_guard import entries, events
from orders.texts.secrets_in_text import without_named_secrets

BATCH = 500
WORDS = ("reason", "note", "why")
NAMED = Q(code__in=["compensated", "partner_paused"])  # incidents whose detail is a reason
KEPT_BESIDE = {  # where the desk keeps the same words once more
    "AffectedOrder": ("reason", Q()),
    "AskedAct": ("reason", Q()),
    "BulkRun": ("reason", Q()),
    "Difference": ("reason", Q()),
    "Export": ("reason", Q()),
    "Incident": ("detail", NAMED),
    "Pause": ("reason", Q()),
    "ScheduledExport": ("reason", Q()),
    "Timeline": ("reason", Q()),
}


def cut(apps, schema_editor) -> None:
    connection = schema_editor.connection
    for name, guard in (("TrailEntry", entries), ("OrderEvent", events)):
        rows = apps.get_model("orders", name).objects.using(connection.alias)
        said = Q(*((f"data__has_key", word) for word in WORDS), _connector=Q.OR)
        said |= Q(data__code="compensated", data__has_key="detail")
        for batch in batches(rows.filter(said)):
            changed = [row for row in batch if cut_data(row.data)]
            if changed:
                with guard.lifted(connection):
                    rows.bulk_update(changed, ["data"], batch_size=50)
                    note(apps, connection, name, len(changed))
    for name, (field, which) in KEPT_BESIDE.items():
        rows = apps.get_model("orders", name).objects.using(connection.alias)
        for batch in batches(rows.filter(which).exclude(**{field: ""})):
            changed = [row for row in batch if cut_field(row, field)]
            rows.bulk_update(changed, [field], batch_size=50)


def batches(rows):
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        yield batch


def cut_data(data) -> bool:
    """Whether it changed something in an event's or entry's data."""
    words = (*WORDS, "detail") if data.get("code") == "compensated" else WORDS
    found = {word: without_named_secrets(data[word]) for word in words if isinstance(data.get(word), str)}
    changed = any(data[word] != left for word, left in found.items())
    data.update(found)
    return changed


def cut_field(row, field: str) -> bool:
    before = getattr(row, field)
    setattr(row, field, without_named_secrets(before))
    return getattr(row, field) != before


def note(apps, connection, table: str, count: int) -> None:
    now = timezone.now()
    until = now + datetime.timedelta(days=settings.AUDIT_DAYS)
    about = {"code": "secrets_cut", "actor": "system", "about": "orders.0069"}
    rows = apps.get_model("orders", "TrailEntry").objects.using(connection.alias)
    rows.create(at=now, keep_until=until, **about, data={"count": count, "rows": table})


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0068_move_attribution")]
    operations = [migrations.RunPython(cut, migrations.RunPython.noop)]
