"""The data model: orders, their steps and records, and their history."""

from orders.models.billing import BillingRecord, TrialUsage
from orders.models.bulk_run import BulkItem, BulkRun
from orders.models.customer import Customer, IndexedOrder, SearchPiece, SearchProgress
from orders.models.dispatch import Attempt, Dispatch
from orders.models.event import OrderEvent
from orders.models.export import Export
from orders.models.inbound import AcceptedCall, InboundMessage
from orders.models.incident import AffectedOrder, Incident
from orders.models.notes import CustomerNote, IncidentNote
from orders.models.order import Order, OrderDomain, TrialClaim, TrialEnd, TrialShape
from orders.models.pause import Pause
from orders.models.proxies import BillingDispatch, BpmDispatch, Conflict, OrderFiles
from orders.models.reconciliation import Difference, Reconciliation
from orders.models.reference import Province, ServiceType
from orders.models.saved_view import SavedView
from orders.models.scheduled_export import ScheduledExport
from orders.models.timeline import Timeline
from orders.models.trial_upload import TrialUpload

__all__ = [
    "AcceptedCall",
    "AffectedOrder",
    "Attempt",
    "BillingDispatch",
    "BillingRecord",
    "BpmDispatch",
    "BulkItem",
    "BulkRun",
    "Conflict",
    "Customer",
    "CustomerNote",
    "Difference",
    "Dispatch",
    "Export",
    "InboundMessage",
    "Incident",
    "IncidentNote",
    "IndexedOrder",
    "Order",
    "OrderDomain",
    "OrderEvent",
    "OrderFiles",
    "Pause",
    "Province",
    "Reconciliation",
    "SavedView",
    "ScheduledExport",
    "SearchPiece",
    "SearchProgress",
    "ServiceType",
    "Timeline",
    "TrialClaim",
    "TrialEnd",
    "TrialShape",
    "TrialUpload",
    "TrialUsage",
]
