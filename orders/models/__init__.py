"""The data model: an order, what it caused, and what happened to it."""

from orders.models.billing import BillingRecord, TrialUsage
from orders.models.dispatch import Attempt, Dispatch
from orders.models.event import OrderEvent
from orders.models.inbound import AcceptedCall, InboundMessage
from orders.models.incident import AffectedOrder, Incident
from orders.models.order import Order, OrderDomain, TrialClaim
from orders.models.reconciliation import Difference, Reconciliation
from orders.models.reference import Province, ServiceType
from orders.models.scope import StaffScope

__all__ = [
    "AcceptedCall",
    "AffectedOrder",
    "Attempt",
    "BillingRecord",
    "Difference",
    "Dispatch",
    "InboundMessage",
    "Incident",
    "Order",
    "OrderDomain",
    "OrderEvent",
    "Province",
    "Reconciliation",
    "ServiceType",
    "StaffScope",
    "TrialClaim",
    "TrialUsage",
]
