"""The staff's pages on orders: everything readable, history untouchable, reference data editable."""

from orders.admin import (  # registering is the purpose
    billing,
    conflict,
    dispatch,
    event,
    files,
    inbound,
    incident,
    order,
    pause,
    reconciliation,
    reference,
    staff,
    timeline,
)

__all__ = [
    "billing",
    "conflict",
    "dispatch",
    "event",
    "files",
    "inbound",
    "incident",
    "order",
    "pause",
    "reconciliation",
    "reference",
    "staff",
    "timeline",
]
