"""Gives the roles what they may do since the office has pages of its own."""

import importlib

from django.db import migrations

make_roles = importlib.import_module("project.migrations.0003_roles").make_roles


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0003_roles"), ("orders", "0007_customers")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
