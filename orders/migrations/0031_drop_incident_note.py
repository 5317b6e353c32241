"""Drops the column that no code knows since 1.3.0. On SQLite it went when 0029 made the table anew; and there 0030 made
the table of orders anew, without the lists' indexes.
"""

from django.db import migrations

from orders.db.indexes import install


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_incident DROP COLUMN IF EXISTS note")


def put_back(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_incident ADD COLUMN note text NOT NULL DEFAULT ''")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0030_traces")]
    operations = [
        migrations.RunPython(drop, put_back),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
