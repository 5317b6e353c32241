"""Lets everybody read the calendar of working days, and administrators keep it. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right

RIGHTS = [f"{act}_calendarday" for act in ("view", "add", "change", "delete")]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0020_move_right"), ("orders", "0049_calendar")]
    operations = [
        migrations.RunPython(give_new_right("orders", right), migrations.RunPython.noop) for right in RIGHTS
    ]
