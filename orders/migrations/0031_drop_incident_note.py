"""Drops the column that no code knows since 1.3.0. On SQLite 0030 made the table of orders anew, without the lists'
indexes.
"""

from django.db import migrations

from orders.db.indexes import install


def drop(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        columns = {column.name for column in connection.introspection.get_table_description(cursor, "orders_incident")}
    if "note" in columns:
        schema_editor.execute("ALTER TABLE orders_incident DROP COLUMN note")


def put_back(apps, schema_editor):
    schema_editor.execute("ALTER TABLE orders_incident ADD COLUMN note text NOT NULL DEFAULT ''")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0030_traces")]
    operations = [
        migrations.RunPython(drop, put_back),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
