"""The indexes behind the lists' times; see orders.db.indexes."""

from django.db import migrations

from orders.db.indexes import install


def drop_state_since(apps, schema_editor) -> None:
    """SQLite can't drop a column that an index names."""
    schema_editor.execute("DROP INDEX IF EXISTS order_state_since")


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table, and a run that was stopped goes on where it was
    dependencies = [("notifications", "0001_initial"), ("orders", "0012_bulk_runs")]
    operations = [migrations.RunPython(install, drop_state_since)]
