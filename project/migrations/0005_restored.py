"""Gives engineers and administrators the word that a restored desk may send again."""

import importlib

from django.db import migrations

roles = importlib.import_module("project.migrations.0001_roles")


class Migration(migrations.Migration):
    dependencies = [("project", "0004_fixes"), ("orders", "0010_timeline")]
    operations = [migrations.RunPython(roles.make_roles, migrations.RunPython.noop)]
