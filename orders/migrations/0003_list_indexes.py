"""The indexes behind the staff's lists, search and dashboard; see orders.db.indexes."""

from django.db import migrations

from orders.db.indexes import install, remove


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_reference_data")]
    operations = [migrations.RunPython(install, remove)]
