"""The index of moves of a start day that are under way."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0045_move_start")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
