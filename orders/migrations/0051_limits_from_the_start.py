"""The limits that a desk begins with, and the index by which late orders are found."""

from django.db import migrations

from orders.db.indexes import install

LIMITS = [
    ("awaiting_approval", 3, "days"),
    ("held", 1, "days"),
    ("in_progress", 1, "hours"),
    ("conflict", 1, "days"),
]


def add_limits(apps, schema_editor) -> None:
    """May run again."""
    rows = apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias)
    for state, amount, unit in LIMITS:
        rows.get_or_create(state=state, kind="", attribution=None, defaults={"amount": amount, "unit": unit})


def drop_index(apps, schema_editor) -> None:
    schema_editor.execute("DROP INDEX IF EXISTS order_in_time")


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0050_time_limits")]
    operations = [
        migrations.RunPython(add_limits, migrations.RunPython.noop),
        migrations.RunPython(install, drop_index),
    ]
