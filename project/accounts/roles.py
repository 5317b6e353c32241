"""The five roles and their permissions. Their names are Chinese, since staff read them as data.

Everybody may read what concerns orders. A site may extend a role or add others. Migrations only add missing
permissions; but what is judged by a second person (审批主管) was taken from those who manage accounts (管理员).
"""

ORDERS = [
    "order", "orderdomain", "orderfiles", "orderevent", "trialclaim", "trialend", "acceptedcall", "incident",
    "affectedorder",
    "dispatch", "billingdispatch", "bpmdispatch", "attempt", "billingrecord", "trialusage", "reconciliation",
    "difference", "inboundmessage", "conflict", "province", "servicetype", "pause", "trialupload", "customer",
    "savedview",
    "bulkrun", "bulkitem",
]  # fmt: skip
READ = [
    *(f"orders.view_{model}" for model in ORDERS),
    "approvals.view_approvalrecord",
    "notifications.view_mail",
    "notifications.view_contact",
    "integrations.view_heartbeat",
    "integrations.view_breaker",
    "orders.export_list",
]
ENGINE_ROOM = [
    "notifications.view_notice",
    "orders.view_timeline",
    "integrations.view_leaselock",
    "django_q.view_schedule",
    "django_q.view_success",
    "django_q.view_failure",
    "django_q.view_ormq",
]
REPAIR = ["orders.give_up_step", "orders.take_books", "orders.accept_difference", "orders.fix_difference"]
DECIDE = ["orders.waive_finding", "orders.decide_order"]
BUSINESS = [
    "orders.see_personal_data",
    "orders.resend_order",
    "orders.upload_file",
    "orders.choose_attribution",
    "orders.run_activation",
    "orders.fetch_usage",
    "orders.add_note",
    "orders.change_incident",
    "orders.proceed_order",
    "orders.name_domains",
    "orders.enter_trial",
    "orders.share_view",
]
ENGINEER = [
    "orders.pause_partner",
    "orders.release_restored",
    "orders.resend_order",
    "orders.compensate_order",
    "orders.run_activation",
    "orders.fetch_usage",
    "orders.add_note",
    "orders.change_incident",
    *REPAIR,
]
ADMINISTRATOR = [
    "orders.pause_partner",
    "orders.release_restored",
    "orders.view_export",
    "orders.view_scheduledexport",
    "orders.stop_bulkrun",
    "orders.stop_scheduledexport",
    *REPAIR,
    *(f"orders.{act}_{model}" for model in ("province", "servicetype") for act in ("add", "change")),
    *(f"notifications.{act}_contact" for act in ("add", "change", "delete")),
    *(f"project.{act}_user" for act in ("view", "add", "change")),
    "auth.view_group",
    "admin.view_logentry",
    "project.view_failedlogin",
    "project.delete_failedlogin",
    *(f"integrations.{act}_apitoken" for act in ("view", "add", "revoke")),
]
APPROVER = [
    *DECIDE,
    "orders.compensate_order",
    "orders.withdraw_order",
    "orders.judge_export",
    "orders.view_export",
    "integrations.view_apitoken",
]
ROLES = {
    "业务人员": [*READ, *BUSINESS, *DECIDE],
    "工程师": [*READ, *ENGINE_ROOM, *ENGINEER],
    "审计员": [
        *READ,
        *ENGINE_ROOM,
        "orders.view_export",
        "orders.view_scheduledexport",
        "project.view_user",
        "auth.view_group",
        "admin.view_logentry",
        "project.view_failedlogin",
    ],
    "管理员": [*READ, *ENGINE_ROOM, *BUSINESS, *ADMINISTRATOR],
    "审批主管": [*READ, *APPROVER],
}
APPS = ["admin", "auth", "orders", "approvals", "notifications", "integrations", "django_q", "project"]


def codes(role: str) -> set[str]:
    """A role's permissions as `app.codename`."""
    return set(ROLES[role])
