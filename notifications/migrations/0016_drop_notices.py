"""Drops the table of notices, which no code knows since 1.9.0."""

from django.db import migrations
from django.db.migrations.loader import MigrationLoader


def drop(apps, schema_editor) -> None:
    schema_editor.execute("DROP TABLE IF EXISTS notifications_notice")


def put_back(apps, schema_editor) -> None:
    """0012 reads it, should it run again."""
    before = MigrationLoader(None).project_state(("notifications", "0012_carry_notices")).apps
    schema_editor.create_model(before.get_model("notifications", "Notice"))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0015_drop_mail_step")]
    operations = [migrations.RunPython(drop, put_back)]
