"""The data model: orders, their steps and records, and their history."""

from orders.models.asked import AskedAct
from orders.models.billing import BillingRecord, TrialUsage
from orders.models.customer import (
    Customer,
    DomainText,
    IndexedOrder,
    OrderText,
    SearchPiece,
    SearchProgress,
    TextProgress,
)
from orders.models.dispatch import Attempt, Dispatch
from orders.models.erasure import Erasure
from orders.models.event import OrderEvent
from orders.models.inbound import AcceptedCall, InboundMessage
from orders.models.incident import AffectedOrder, Incident
from orders.models.message import Message
from orders.models.notes import CustomerNote, IncidentNote
from orders.models.order import Order, OrderDomain, TrialClaim, TrialEnd, TrialShape
from orders.models.pause import Pause
from orders.models.planned_pause import PlannedPause
from orders.models.proof import KeptAnswer, PartnerHold, PartnerProof
from orders.models.proxies import BillingDispatch, BpmDispatch, Conflict, OrderFiles
from orders.models.reconciliation import Difference, Reconciliation
from orders.models.reference import Province, ServiceType
from orders.models.step_notes import (
    ASKS_START,
    IS_LAST,
    NOTES,
    OF_ITS_ATTEMPT,
    OF_ITS_CALL,
    OF_START,
    ONLY_LAST,
    PUTS_BACK,
    asks_about,
    notes_of,
    question_about,
)
from orders.models.time_limit import CalendarDay, TimeLimit
from orders.models.timeline import Timeline
from orders.models.trail import TrailEntry, TrailSending
from orders.models.watch import Watch
