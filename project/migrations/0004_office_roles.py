"""Gives the roles what came with the office's pages. What a site has taken from a role stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import roles

NEW = {"export_list", "view_export", "judge_export", "enter_trial", "view_trialupload", "view_customer"}


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; these are needed now."""
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("orders"), verbosity=0, using=alias)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    ours = permission.objects.using(alias).filter(content_type__app_label="orders", codename__in=NEW)
    known = {f"orders.{codename}": pk for codename, pk in ours.values_list("codename", "pk")}
    for row in group.objects.using(alias).filter(name__in=roles()):
        row.permissions.add(*(known[code] for code in roles()[row.name] if code in known))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0003_roles"), ("orders", "0008_customers_orders")]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
