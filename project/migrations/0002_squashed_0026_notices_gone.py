"""The attributions of accounts; and the roles of project.accounts.roles, to which it adds what is missing."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

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
    replaces = [
        ("project", "0002_attributions"),
        ("project", "0003_roles"),
        ("project", "0004_office_roles"),
        ("project", "0005_more_office_roles"),
        ("project", "0006_trial_ends"),
        ("project", "0008_fill_used_names"),
        ("project", "0009_approver_role"),
        ("project", "0010_upload_right"),
        ("project", "0012_probe_right"),
        ("project", "0014_trail_right"),
        ("project", "0018_roles_apart"),
        ("project", "0020_own_right"),
        ("project", "0020_move_right"),
        ("project", "0023_calendar_rights"),
        ("project", "0024_limit_rights"),
        ("project", "0021_confirm_right"),
        ("project", "0023_mailing_rights"),
        ("project", "0026_notices_gone"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("orders", "0001_squashed_0056_sleep_and_scope"),
        ("project", "0001_squashed_0025_digest"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="attributions",
            field=models.ManyToManyField(
                blank=True, related_name="+", to="orders.province", verbose_name="attributions"
            ),
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
