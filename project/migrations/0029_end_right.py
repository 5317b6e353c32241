"""Gives the new right to move a trial's end to its roles."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0028_compare_right"), ("orders", "0076_end_right")]
    operations = [migrations.RunPython(give_new_right("orders", "move_end"), migrations.RunPython.noop)]
