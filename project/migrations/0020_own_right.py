"""Lets whoever acts on orders own what needs somebody: each role with a right to act, a site's own too."""

from django.contrib.auth.management import create_permissions
from django.apps import apps as installed
from django.db import migrations

from project.accounts.separation import DECIDES


def give(apps, schema_editor) -> None:
    """May run again. Permissions are made after all migrations; this one is needed now."""
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("orders"), verbosity=0, using=alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="orders")
    new = permissions.get(codename="own_order")
    acting = {right.partition(".")[2] for right in DECIDES if right.startswith("orders.")} - {"see_personal_data"}
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(permissions__codename__in=acting).distinct():
        group.permissions.add(new)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0019_away_from"), ("orders", "0048_owner_indexes")]
    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
