"""The desk's menu. It is arranged by what people look for, not by the app that holds a table."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

QUEUE = ["Schedule", "OrmQ", "Success", "Failure"]
SECTIONS = [
    (
        "desk",
        pgettext_lazy("app", "Orders"),
        ["Order", "Customer", "Incident", "AffectedOrder", "Conflict", "ApprovalRecord", "OrderFiles", "SavedView"],
    ),
    ("sent", _("Sent out"), ["BillingDispatch", "BpmDispatch", "Mail", "Notice", "Dispatch", "Attempt"]),
    ("money", _("Billing and reconciliation"), ["BillingRecord", "Reconciliation", "Difference", "TrialUsage"]),
    (
        "trace",
        _("Traces"),
        [
            "InboundMessage",
            "OrderEvent",
            "LogEntry",
            "Export",
            "ScheduledExport",
            "BulkRun",
            "BulkItem",
            "TrialUpload",
            "OrderDomain",
            "TrialClaim",
            "TrialEnd",
            "AcceptedCall",
        ],  # fmt: skip
    ),
    ("setup", _("Settings"), ["Contact", "Province", "ServiceType", "User", "Group", "FailedLogin", "ApiToken"]),
    (
        "engine",
        _("Engine room"),
        ["Heartbeat", "Breaker", "Pause", "LeaseLock", *QUEUE, "Timeline"],
    ),
]


def sections_of(apps: list[dict]) -> list[dict]:
    """Django's app list as sections of the menu. Models in no section stay in their app, at the end."""
    models = {model["object_name"]: model for app in apps for model in app["models"]}
    found = []
    for label, name, members in SECTIONS:
        own = [models.pop(member) for member in members if member in models]
        if own:
            found.append({"name": name, "app_label": label, "app_url": "", "has_module_perms": True, "models": own})
    for app in apps:
        rest = [model for model in app["models"] if model["object_name"] in models]
        found += [app | {"models": rest}] if rest else []
    return found
