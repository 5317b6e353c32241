"""Gives the new right to compare to its roles, and to whoever had it by the right to put a difference right."""

from django.db import migrations

from project.accounts.roles import give_new_right


def keep_it(apps, schema_editor) -> None:
    alias = schema_editor.connection.alias
    right = apps.get_model("auth", "Permission").objects.using(alias)
    before, new = (
        right.filter(content_type__app_label="orders", codename=one).first() for one in ("fix_difference", "compare_order")
    )
    if before:
        for group in apps.get_model("auth", "Group").objects.using(alias).filter(permissions=before):
            group.permissions.add(new)
        for user in apps.get_model("project", "User").objects.using(alias).filter(user_permissions=before):
            user.user_permissions.add(new)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0027_callback_right"), ("orders", "0075_compare_right")]
    operations = [
        migrations.RunPython(give_new_right("orders", "compare_order"), migrations.RunPython.noop),
        migrations.RunPython(keep_it, migrations.RunPython.noop),
    ]
