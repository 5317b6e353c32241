"""Makes the lists' indexes again: SQLite made dispatches and affected orders anew, and what is made by hand went with
them. PostgreSQL has kept them."""

from django.db import migrations

from orders.db.indexes import install


def install_on_sqlite(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        install(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0012_errors_as_codes")]
    operations = [migrations.RunPython(install_on_sqlite, migrations.RunPython.noop)]
