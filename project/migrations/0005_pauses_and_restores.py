"""Gives engineers and administrators the pause of a partner, and the word that a restored desk may send again."""

import importlib

from django.db import migrations

roles = importlib.import_module("project.migrations.0001_roles")


class Migration(migrations.Migration):
    dependencies = [("project", "0004_fixes"), ("orders", "0011_pauses")]
    operations = [migrations.RunPython(roles.make_roles, migrations.RunPython.noop)]
