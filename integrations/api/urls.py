"""The addresses of the read API, under `api/`."""

from django.urls import path

from integrations.api.views import BillingView, OrdersView, OrderView

urlpatterns = [
    path("orders/", OrdersView.as_view(), name="api-orders"),
    path("orders/<str:number>/", OrderView.as_view(), name="api-order"),
    path("customers/<path:enterprise_id>/billing/", BillingView.as_view(), name="api-billing"),
]
