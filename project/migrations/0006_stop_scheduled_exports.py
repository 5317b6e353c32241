"""Lets administrators switch off scheduled exports. What a site has taken stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import ROLES

NEW = "stop_scheduledexport"


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; this one is needed now."""
    alias = schema_editor.connection.alias
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    create_permissions(installed.get_app_config("orders"), verbosity=0, using=alias)
    ours = permission.objects.using(alias).get(content_type__app_label="orders", codename=NEW)
    for row in group.objects.using(alias).filter(name__in=[name for name in ROLES if f"orders.{NEW}" in ROLES[name]]):
        row.permissions.add(ours)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0005_more_office_roles"), ("orders", "0013_stop_scheduled_exports")]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
