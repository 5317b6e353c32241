"""Adds to the roles the permissions of exports."""

import importlib

from django.db import migrations

make_roles = importlib.import_module("project.migrations.0003_roles").make_roles


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_exports"), ("project", "0003_roles")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
