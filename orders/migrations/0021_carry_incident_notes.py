"""Old notes of incidents become rows, with the authors and words that their events keep.

In the old column all notes are one text, in which a note with a line break could pass for two. It is taken as it is,
without an author, only where no event tells.
"""

from django.db import migrations

from orders.db.indexes import install

BATCH = 500
NOTED = ["incident_acknowledged", "incident_ignored", "incident_resolved", "incident_noted"]


def carry_over(apps, schema_editor) -> None:
    """May run again after it was stopped. The limits of old authors are unknown, so `scope` stays empty."""
    incidents = apps.get_model("orders", "Incident").objects.exclude(note="").filter(notes=None).order_by("pk")
    if not incidents.exists():
        return
    notes, told = apps.get_model("orders", "IncidentNote").objects, _told(apps)
    while rows := list(incidents.only("note", "last_at")[:BATCH]):
        notes.bulk_create(
            notes.model(incident=row, at=at, by=by, account_id=account, text=text)
            for row in rows
            for at, by, account, text in told.get(row.pk, [(row.last_at, "", None, row.note)])
        )


def _told(apps) -> dict[int, list[tuple]]:
    """(time, author, the author's account, text) of each incident's notes, by their events."""
    found: dict[int, list[tuple]] = {}
    events = apps.get_model("orders", "OrderEvent").objects.filter(order=None, kind__in=NOTED).order_by("pk")
    for at, by, account, data in events.values_list("at", "actor", "account_id", "data").iterator(BATCH):
        if text := " ".join(str(data.get("note") or "").split()):
            found.setdefault(data.get("incident"), []).append((at, by, account, text))
    return found


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table, and a run that was stopped goes on where it was
    dependencies = [("orders", "0020_incident_notes")]
    operations = [
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),  # SQLite has made the table of incidents anew
    ]
