"""Notes of incidents are rows. Their old column stays for the version before, which names it; the next one drops it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0022_quiet_troubles")]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("incident", "note")]),
    ]
