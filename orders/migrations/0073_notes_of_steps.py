"""Columns for what steps note in `about` (docs/mechanisms/versions.md, Notes of steps). No code knows them yet."""

from django.db import migrations, models

LISTS = ("rest", "left_out", "fixes", "named", "meant", "sent", "findings", "sent_with")
MARKS = ("sent_again", "to_shape", "puts_back", "from_look", "posted", "settled", "is_accepted", "is_last", "seen_there")
OF_MOVES = ("asking", "differs")
IDS = ("asked_step", "resent_event", "start_asked_event")
MOMENTS = ("new_start", "call_until")
COLUMNS = {
    **{name: models.JSONField(null=True) for name in LISTS},
    **{name: models.BooleanField(null=True) for name in (*MARKS, *OF_MOVES)},
    **{name: models.BigIntegerField(null=True) for name in IDS},
    **{name: models.DateTimeField(null=True) for name in MOMENTS},
    "question": models.CharField(max_length=16, null=True),
    "asked_job": models.CharField(max_length=64, null=True),
    "sent_end": models.CharField(max_length=10, null=True),
}
"""NULL: not noted, or noted in `about` by a version that does not know the column."""


class Migration(migrations.Migration):
    dependencies = [("orders", "0072_search_indexes")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AddField("dispatch", name, field) for name, field in COLUMNS.items()]
        )
    ]
