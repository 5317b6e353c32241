"""Hangs the right to see mails to staff on mails, where it hung on notices: roles and accounts that have it keep it.
Removes the notices' wake-ups, which no worker takes any more, and their lease."""

from django.db import migrations

OLD, NEW = {"app_label": "notifications", "model": "notice"}, {"app_label": "notifications", "model": "mail"}


def move_right(apps, schema_editor) -> None:
    """May run again. Django makes the right on mails by itself after all migrations, also after those of one app."""
    alias = schema_editor.connection.alias
    rights = apps.get_model("auth", "Permission").objects.using(alias).filter(codename="view_notice")
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    old = rights.filter(content_type__in=types.filter(**OLD)).first()
    if old is None:
        return
    made = rights.filter(content_type__in=types.filter(**NEW)).first()
    if made is None:
        new, _made = types.get_or_create(**NEW)
        rights.filter(pk=old.pk).update(content_type=new, name="Can view mails to staff")
        return
    made.group_set.add(*old.group_set.all())
    made.user_set.add(*old.user_set.all())
    old.delete()


def forget_sending(apps, schema_editor) -> None:
    alias = schema_editor.connection.alias
    apps.get_model("django_q", "OrmQ").objects.using(alias).filter(key="notices").delete()
    apps.get_model("integrations", "LeaseLock").objects.using(alias).filter(name="notices").delete()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0023_mailing_rights"),
        ("notifications", "0013_notice_unused"),
        ("integrations", "0010_failing_since"),
        ("django_q", "0018_task_success_index"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunPython(move_right, migrations.RunPython.noop),
        migrations.RunPython(forget_sending, migrations.RunPython.noop),
    ]
