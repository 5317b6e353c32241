"""An index for a customer's orders, in place of one that only PostgreSQL had; see orders.db.indexes."""

from django.db import migrations

from orders.db.indexes import drop_not_used, install


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table
    dependencies = [("orders", "0007_customers")]
    operations = [
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.RunPython(drop_not_used, migrations.RunPython.noop),
    ]
