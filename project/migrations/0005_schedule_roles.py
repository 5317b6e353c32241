"""Gives the roles what came with scheduled exports. What a site has taken from a role stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import ROLES

NEW = {"orders": "view_scheduledexport", "notifications": "view_notice"}


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; these are needed now."""
    alias = schema_editor.connection.alias
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    for app, codename in NEW.items():
        create_permissions(installed.get_app_config(app), verbosity=0, using=alias)
        new = permission.objects.using(alias).get(content_type__app_label=app, codename=codename)
        holders = [name for name, codes in ROLES.items() if f"{app}.{codename}" in codes]
        for row in group.objects.using(alias).filter(name__in=holders):
            row.permissions.add(new)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0004_office_roles"),
        ("orders", "0010_scheduled_exports"),
        ("notifications", "0002_notices"),
    ]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
