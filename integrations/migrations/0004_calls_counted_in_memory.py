"""Calls are counted in memory. The table stays for the version before, which writes it; the next one drops it."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0003_second_persons'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel(name='CallCount')]),
    ]
