"""The staff's pages on orders: everything readable, history untouchable, reference data editable."""

from orders.admin import (  # registering is the purpose
    approvals,
    billing,
    conflict,
    dispatch,
    event,
    files,
    inbound,
    incident,
    mails,
    order,
    pause,
    reconciliation,
    reference,
    staff,
    timeline,
)

__all__ = [
    "approvals",
    "billing",
    "conflict",
    "dispatch",
    "event",
    "files",
    "inbound",
    "incident",
    "mails",
    "order",
    "pause",
    "reconciliation",
    "reference",
    "staff",
    "timeline",
]
