"""The staff's pages on orders. Everything can be read, history can't be changed, and reference data can be edited."""

from orders.admin import (  # importing them registers the pages
    approvals,
    billing,
    conflict,
    dispatch,
    event,
    files,
    inbound,
    incident,
    mails,
    notices,
    order,
    pause,
    reconciliation,
    reference,
    timeline,
)
from orders.admin.office import bulk_runs, customer, exports, saved_views, schedules, trial_uploads

__all__ = [
    "approvals",
    "billing",
    "bulk_runs",
    "conflict",
    "customer",
    "dispatch",
    "event",
    "exports",
    "files",
    "inbound",
    "incident",
    "mails",
    "notices",
    "order",
    "pause",
    "reconciliation",
    "reference",
    "saved_views",
    "schedules",
    "timeline",
    "trial_uploads",
]
