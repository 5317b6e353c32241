"""The triggers that keep the trail's rows; see orders.db.trail_guard."""

from django.db import migrations

from orders.db.trail_guard import entries


class Migration(migrations.Migration):
    atomic = False  # each statement is one of its own, and a run that was stopped is run again
    dependencies = [("orders", "0040_trail")]
    operations = [migrations.RunPython(entries.install, entries.remove)]
