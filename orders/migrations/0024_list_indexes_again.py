"""SQLite has made the table of affected orders anew, without the lists' indexes."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # on PostgreSQL the indexes are there; where one is not, it is made beside the work
    dependencies = [("orders", "0023_incident_note_unused")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
