"""The indexes by which a person's orders and differences are found."""

from django.db import migrations

from orders.db.indexes import install


def drop_indexes(apps, schema_editor) -> None:
    """SQLite can't drop a column that an index names."""
    for name in ("order_owner", "difference_owner"):
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the indexes beside the work
    dependencies = [("orders", "0047_owners")]
    operations = [migrations.RunPython(install, drop_indexes)]
