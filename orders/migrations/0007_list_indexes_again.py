"""Makes the lists' indexes again: SQLite made orders and dispatches anew, and what is made by hand went with them."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_rows_before_repairs")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
