"""Lets administrators make test calls. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0011_open_alarms"), ("integrations", "0006_probe_right")]
    operations = [migrations.RunPython(give_new_right("integrations", "probe_partners"), migrations.RunPython.noop)]
