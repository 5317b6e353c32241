"""An index by which events are found by the colleague who did it."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0027_upload_right")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
