"""The index by which customers are found whose texts are to be noted."""

from django.db import migrations

from orders.db.indexes import install


def drop_index(apps, schema_editor) -> None:
    """SQLite can't drop a column that an index names."""
    schema_editor.execute("DROP INDEX IF EXISTS customer_without_texts")


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0035_customer_texts")]
    operations = [migrations.RunPython(install, drop_index)]
