"""The five roles and their permissions: the actions of each, and the view permission for each list that it may read.

A list names its reader roles where the list is registered. A site may extend a role or add other roles. Migrations
only add missing permissions. One migration took some away: account managers (管理员) may no longer act on orders.
"""

from collections.abc import Callable

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions

from orders.lists.registration import LISTS, Role, right_to_view

REPAIR = ["orders.give_up_step", "orders.take_books", "orders.accept_difference", "orders.fix_difference"]
DECIDE = ["orders.waive_finding", "orders.decide_order", "orders.erase_personal_data"]
WORK = [
    "orders.resend_order",
    "orders.run_activation",
    "orders.move_start",
    "orders.move_end",
    "orders.fetch_usage",
    "orders.compare_order",
    "orders.add_note",
    "orders.change_incident",
    "orders.own_order",
]
"""Permissions that business staff and engineers share."""
BUSINESS = [
    *WORK,
    "orders.see_personal_data",
    "orders.upload_file",
    "orders.choose_attribution",
    "orders.proceed_order",
    "orders.name_domains",
    "orders.enter_trial",
    "orders.push_approval",
]
ENGINEER = [*WORK, *REPAIR, "orders.pause_partner", "orders.release_restored", "orders.compensate_order"]
MANAGE_ACCOUNTS = ["project.add_user", "project.change_user"]
ADMINISTRATOR = [
    "orders.pause_partner",
    "orders.release_restored",
    "orders.stop_bulkrun",
    "orders.stop_scheduledexport",
    "orders.share_view",
    *(f"orders.{act}_{model}" for model in ("province", "servicetype") for act in ("add", "change")),
    *(f"orders.{act}_{model}" for model in ("calendarday", "timelimit") for act in ("add", "change", "delete")),
    *(f"notifications.{act}_{model}" for model in ("contact", "mailrule") for act in ("add", "change", "delete")),
    *MANAGE_ACCOUNTS,
    "project.delete_failedlogin",
    *(f"integrations.{act}_apitoken" for act in ("add", "revoke")),
    "integrations.probe_partners",
]
APPROVER = [
    *DECIDE,
    "orders.compensate_order",
    "orders.withdraw_order",
    "orders.judge_export",
    "orders.confirm_act",
    "orders.own_order",
    "orders.push_approval",
]
TRAIL = ["orders.view_trailentry"]
STAFF_MAILS = ["notifications.view_notice"]  # mails that concern no order
ACTS = {
    Role.BUSINESS: [*BUSINESS, *DECIDE, "orders.share_view"],
    Role.ENGINEER: [*ENGINEER, *STAFF_MAILS],
    Role.AUDITOR: [*TRAIL, *STAFF_MAILS],
    Role.ADMINISTRATOR: [*ADMINISTRATOR, *TRAIL, *STAFF_MAILS],
    Role.APPROVER: APPROVER,
}
APPS = ["admin", "auth", "orders", "approvals", "notifications", "integrations", "django_q", "project"]


def roles() -> dict[str, list[str]]:
    """Returns the permissions of each role as `app.codename`. Must be called after the apps are ready, because it needs
    the registered lists."""
    seen = {role: [right_to_view(model) for model, one in LISTS.items() if role in one.readers] for role in Role}
    return {role: [*seen[role], "orders.export_list", *ACTS[role]] for role in Role}


def give_new_right(app: str, codename: str) -> Callable:
    """Returns a function for a migration's RunPython. The function adds a new permission to its roles in this module.
    Permissions that a site has removed stay removed."""

    def give(apps, schema_editor) -> None:
        alias = schema_editor.connection.alias
        # Django creates permissions only after all migrations, and this migration needs its permission now.
        create_permissions(installed.get_app_config(app), verbosity=0, using=alias)
        permission = apps.get_model("auth", "Permission").objects.using(alias)
        (new,) = permission.filter(content_type__app_label=app, codename=codename)
        able = [name for name, codes in roles().items() if f"{app}.{codename}" in codes]
        for row in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=able):
            row.permissions.add(new)

    return give
