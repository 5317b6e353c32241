"""Seven indexes fewer for each order on PostgreSQL; see orders.db.indexes."""

from django.db import migrations

from orders.db.indexes import drop_not_used


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table
    dependencies = [("orders", "0003_list_indexes")]
    operations = [migrations.RunPython(drop_not_used, migrations.RunPython.noop)]
