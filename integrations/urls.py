"""The URLs for BBOSS, BPM and the callers of the read API, below `api/`."""

from django.urls import path

from integrations.api.views import BillingView, OrdersView, OrderView
from integrations.bboss import views as bboss
from integrations.bpm.callback import ApprovalsView

urlpatterns = [
    path("bboss/orders", bboss.OrdersView.as_view(), name="bboss-orders"),
    path("bpm/approvals", ApprovalsView.as_view(), name="bpm-approvals"),
    path("orders/", OrdersView.as_view(), name="api-orders"),
    path("orders/<str:number>/", OrderView.as_view(), name="api-order"),
    path("customers/<path:enterprise_id>/billing/", BillingView.as_view(), name="api-billing"),
]
