"""The index by which the trail finds what one person, command or system did."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0057_trail_guards")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
