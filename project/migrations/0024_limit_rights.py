"""Lets everybody read the limits in time, and administrators keep them. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right

RIGHTS = [f"{act}_timelimit" for act in ("view", "add", "change", "delete")]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0023_calendar_rights"), ("orders", "0051_limits_from_the_start")]
    operations = [
        migrations.RunPython(give_new_right("orders", right), migrations.RunPython.noop) for right in RIGHTS
    ]
