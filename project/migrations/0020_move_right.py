"""Lets those who run start days move them. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0020_own_right"), ("orders", "0045_move_start")]
    operations = [migrations.RunPython(give_new_right("orders", "move_start"), migrations.RunPython.noop)]
