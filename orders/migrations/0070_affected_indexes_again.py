"""SQLite has made the table of affected orders anew, without the list's index."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # on PostgreSQL the index is there; where it is not, it is made beside the work
    dependencies = [("orders", "0069_reasons_without_secrets")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
