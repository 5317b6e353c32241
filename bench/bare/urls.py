"""The same path as the desk's endpoint for BBOSS."""

from django.urls import path

from bench.bare.views import OrdersView

urlpatterns = [path("api/bboss/orders", OrdersView.as_view())]
