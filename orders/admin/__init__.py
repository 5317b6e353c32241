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
    trial_end,
)
from orders.customer_page import admin as customer
from orders.office.bulk import admin as bulk_runs
from orders.office.exports import admin as exports
from orders.office.schedules import admin as schedules
from orders.office.trials import admin as trial_uploads
from orders.office.views import admin as saved_views

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
    "trial_end",
    "trial_uploads",
]
