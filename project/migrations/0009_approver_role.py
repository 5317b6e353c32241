"""Makes the role that judges and takes back, and takes these rights from the administrators: who manages accounts must
not be able to be the second person too. Prints who held them."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from project.accounts.roles import roles

APPROVER, ADMINISTRATOR = "审批主管", "管理员"
TAKEN = ["judge_export", "withdraw_order", "compensate_order", "decide_order", "waive_finding"]


def hand_over(apps, schema_editor) -> None:
    """May run again. Permissions are made after all migrations; these are needed now."""
    alias = schema_editor.connection.alias
    for app in ("orders", "approvals", "notifications", "integrations"):
        create_permissions(installed.get_app_config(app), verbosity=0, using=alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    known = {
        f"{app}.{codename}": pk
        for app, codename, pk in permissions.values_list("content_type__app_label", "codename", "pk")
    }
    groups = apps.get_model("auth", "Group").objects.using(alias)
    approver, _new = groups.get_or_create(name=APPROVER)
    approver.permissions.add(*(known[code] for code in roles()[APPROVER] if code in known))
    administrator = groups.filter(name=ADMINISTRATOR).first()
    if administrator is None:
        return
    taken = administrator.permissions.filter(content_type__app_label="orders", codename__in=TAKEN)
    codes = sorted(taken.values_list("codename", flat=True))
    if not codes:
        return
    holders = apps.get_model("project", "User").objects.using(alias).filter(groups=administrator.pk)
    names = list(holders.order_by("username").values_list("username", flat=True))
    if names:
        print(f"\n  {ADMINISTRATOR} no longer may: {', '.join(codes)}")
        print(f"  Held by: {', '.join(names)}")
        print(f"  Give {APPROVER} to at least two people who do not manage accounts.")
    administrator.permissions.remove(*taken)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0008_fill_used_names")]
    operations = [migrations.RunPython(hand_over, migrations.RunPython.noop)]
