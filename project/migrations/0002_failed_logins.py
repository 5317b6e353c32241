"""A name of ours for django-axes' failed log-ins, and who may see and undo them."""

import importlib

from django.db import migrations

roles = importlib.import_module("project.migrations.0001_roles")


class Migration(migrations.Migration):
    dependencies = [("axes", "0010_accessattemptexpiration"), ("project", "0001_roles")]
    operations = [
        migrations.CreateModel(
            name="FailedLogin",
            fields=[],
            options={
                "verbose_name": "failed log-in",
                "verbose_name_plural": "failed log-ins",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("axes.accessattempt",),
        ),
        migrations.RunPython(roles.make_roles, migrations.RunPython.noop),
    ]
