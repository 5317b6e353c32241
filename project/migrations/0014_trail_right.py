"""Lets auditors and administrators see the trail. What a site has taken stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import roles

APP, NEW = "orders", "view_trailentry"


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; this one is needed now."""
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config(APP), verbosity=0, using=alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    (new,) = permission.filter(content_type__app_label=APP, codename=NEW)
    able = [name for name, codes in roles().items() if f"{APP}.{NEW}" in codes]
    for row in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=able):
        row.permissions.add(new)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0013_company_accounts"), ("orders", "0041_trail_guard")]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
