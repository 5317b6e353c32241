"""Makes the four roles of project.accounts.roles, and adds to them what is missing; takes nothing away."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import APPS, roles


def make_roles(apps, schema_editor):
    """Permissions are made after all migrations; these are needed now."""
    alias = schema_editor.connection.alias
    for label in APPS:
        create_permissions(installed.get_app_config(label), verbosity=0, using=alias)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    known = {
        (label, codename): pk
        for label, codename, pk in permission.objects.using(alias).values_list(
            "content_type__app_label", "codename", "pk"
        )
    }
    for name, codes in roles().items():
        row, _new = group.objects.using(alias).get_or_create(name=name)
        row.permissions.add(*(known[tuple(code.split("."))] for code in codes))


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("orders", "0001_initial"),
        ("approvals", "0001_initial"),
        ("notifications", "0001_initial"),
        ("integrations", "0001_initial"),
        ("django_q", "0018_task_success_index"),
        ("project", "0002_attributions"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
