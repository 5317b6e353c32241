"""Lets the roles that read orders read ends of trials. What a site has taken stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import roles

NEW = "view_trialend"


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; this one is needed now."""
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("orders"), verbosity=0, using=alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    (new,) = permission.filter(content_type__app_label="orders", codename=NEW)
    for row in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=roles()):
        row.permissions.add(new)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0005_more_office_roles"), ("orders", "0016_shapes")]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
