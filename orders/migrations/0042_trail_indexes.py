"""The indexes by which the page 审计 reads its three sources, the newest first."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the indexes beside the work
    dependencies = [("orders", "0041_trail_guard"), ("admin", "0003_logentry_add_action_flag_choices")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
