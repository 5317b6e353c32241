"""Gives the roles what repairs ask for, where it is missing."""

import importlib

from django.db import migrations

roles = importlib.import_module("project.migrations.0001_roles")


class Migration(migrations.Migration):
    dependencies = [("project", "0002_failed_logins"), ("orders", "0005_repairs")]
    operations = [migrations.RunPython(roles.make_roles, migrations.RunPython.noop)]
