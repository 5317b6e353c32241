"""Gives the roles what came with views, runs, scheduled exports and tokens. What a site has taken stays taken."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import roles

NEW = {
    "orders": {
        "view_scheduledexport", "stop_scheduledexport", "view_savedview", "share_view", "view_bulkrun", "view_bulkitem",
        "stop_bulkrun",
    },
    "notifications": {"view_notice"},
    "integrations": {"view_apitoken", "add_apitoken", "revoke_apitoken"},
}


def add_new(apps, schema_editor):
    """Permissions are made after all migrations; these are needed now."""
    alias = schema_editor.connection.alias
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    known = {}
    for app, codes in NEW.items():
        create_permissions(installed.get_app_config(app), verbosity=0, using=alias)
        ours = permission.objects.using(alias).filter(content_type__app_label=app, codename__in=codes)
        known |= {f"{app}.{codename}": pk for codename, pk in ours.values_list("codename", "pk")}
    for row in group.objects.using(alias).filter(name__in=roles()):
        row.permissions.add(*(known[code] for code in roles()[row.name] if code in known))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0004_office_roles"),
        ("orders", "0012_bulk_runs"),
        ("notifications", "0002_notices"),
        ("integrations", "0002_api_tokens"),
    ]
    operations = [migrations.RunPython(add_new, migrations.RunPython.noop)]
