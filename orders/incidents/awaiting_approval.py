"""Queries about orders that await BPM's approval: since when they wait, and whether BPM returned them."""

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from approvals.models import ApprovalRecord
from orders.models import Dispatch, Order


def asked_at() -> Subquery:
    """Returns a subquery for the time at which BPM accepted an order's work order."""
    rows = Dispatch.objects.current().filter(order=OuterRef("pk"), step=Dispatch.Step.START_BPM)
    return Subquery(rows.filter(state=Dispatch.State.DONE).order_by("-pk").values("done_at")[:1])


def returned() -> QuerySet[ApprovalRecord]:
    """Returns BPM's returns of orders awaiting approval. A return counts only while it is BPM's latest record of its
    order."""
    later = ApprovalRecord.objects.filter(
        order=OuterRef("order"), source=ApprovalRecord.Source.BPM, pk__gt=OuterRef("pk")
    )
    rows = ApprovalRecord.objects.filter(
        ~Exists(later), source=ApprovalRecord.Source.BPM, result=ApprovalRecord.Result.RETURN
    )
    return rows.filter(order__state=Order.State.AWAITING_APPROVAL)


def is_returned() -> Q:
    return Q(pk__in=returned().values("order"))
