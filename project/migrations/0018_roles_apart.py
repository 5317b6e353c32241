"""Takes from the administrators (管理员) all that acts on orders: who manages accounts decides nothing (docs/security.md,
roles apart). Prints who held that, and what nobody may do now. Accounts keep their other roles."""

from django.db import migrations

ADMINISTRATOR = "管理员"
TAKEN = [
    "see_personal_data", "resend_order", "upload_file", "choose_attribution", "run_activation", "fetch_usage",
    "add_note", "change_incident", "proceed_order", "name_domains", "enter_trial", "give_up_step", "take_books",
    "accept_difference", "fix_difference",
]  # fmt: skip


def take(apps, schema_editor) -> None:
    """May run again."""
    alias = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(alias).filter(name=ADMINISTRATOR).first()
    if group is None:
        return
    taken = list(group.permissions.filter(content_type__app_label="orders", codename__in=TAKEN).order_by("codename"))
    if not taken:
        return
    group.permissions.remove(*taken)
    people = apps.get_model("project", "User").objects.using(alias).filter(is_active=True, is_staff=True)
    names = list(people.filter(groups=group.pk).order_by("username").values_list("username", flat=True))
    if not names:
        return
    print(f"\n  {ADMINISTRATOR} no longer may: {', '.join(one.codename for one in taken)}")
    print(f"  Held by: {', '.join(names)}")
    able = [one.pk for one in taken if people.filter(groups__permissions=one.pk).exists()]
    if lost := [one.codename for one in taken if one.pk not in able]:
        print(f"  By a role nobody may now: {', '.join(lost)}")
    print("  Give 业务人员 and 工程师 to people who do not manage accounts; check --deploy names what is left.")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0017_account_sessions")]
    operations = [migrations.RunPython(take, migrations.RunPython.noop)]
