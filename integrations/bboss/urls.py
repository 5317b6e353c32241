"""BBOSS's address, under `api/bboss/`."""

from django.urls import path

from integrations.bboss.views import OrdersView

urlpatterns = [path("orders", OrdersView.as_view(), name="bboss-orders")]
