"""Gives the roles the permission to put differences right, where it is missing."""

import importlib

from django.db import migrations

roles = importlib.import_module("project.migrations.0001_roles")


class Migration(migrations.Migration):
    dependencies = [("project", "0003_repairs"), ("orders", "0009_true_pages")]
    operations = [migrations.RunPython(roles.make_roles, migrations.RunPython.noop)]
