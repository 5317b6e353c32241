"""The addresses of the read API (README, "Read orders from another system")."""

from rest_framework.response import Response

from integrations.api.answers import PersonalResponse, ReadView
from integrations.api.customers import billed_now
from integrations.api.orders import order_facts, orders_page
from integrations.api.schema import OrdersSchema, documented_billing, documented_order


class OrdersView(ReadView):
    """The orders under a filter, the newest first."""

    schema = OrdersSchema()

    def get(self, request):
        return Response(orders_page(request))


class OrderView(ReadView):
    """Where an order stands."""

    @documented_order
    def get(self, request, number):
        told, masked = order_facts(request, number)
        return Response(told) if masked is None else PersonalResponse(told, masked)


class BillingView(ReadView):
    """What a customer is billed now."""

    @documented_billing
    def get(self, request, enterprise_id):
        return Response(billed_now(request, enterprise_id))
