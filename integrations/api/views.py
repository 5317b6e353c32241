"""The endpoints of the read API (docs/read-api.md)."""

from dataclasses import replace

from django.db import Error
from django.db.models import Count, Q
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from integrations.api.errors_and_etags import BadParameterError, PersonalResponse, ReadView
from integrations.api.filters import OrderFilters, documented
from integrations.api.openapi import ReadSchema
from integrations.api.pagination import CURSOR, LIMIT, KeysetPagination
from integrations.api.serializers import BillingPageSerializer, OrderFactsSerializer, OrdersPageSerializer
from integrations.base.database_deadline import database_deadline, is_away
from orders.admin.order_list import set_service_now
from orders.customer_page.billed_now import count_by_type, records_of, set_theirs
from orders.incidents.order_warnings import mark_orders
from orders.intake.customer_names import name_of
from orders.limits.late_orders import mark_overtime
from orders.lists import scope
from orders.lists.personal_data import may_open
from orders.models import Order
from orders.order_words.ladder.ladder import build_ladder, current
from orders.order_words.order_facts import facts_of
from orders.people.owned_work import set_owners
from orders.people.staff_events import note_personal_data_read
from orders.queries.order_status import current_steps, order_status

ORDERS = Order.objects.select_related("attribution", "service_type", "shape").defer(
    "content", "given", "shape__domains"
)
PERSONAL = "personal"  # as on the pages: personal data are shown only on request
WRITE_TIMEOUT_SECONDS = 1.0  # seconds that a request waits for other writers to record a disclosure


class OrdersView(ReadView):
    """Orders under a filter, the newest first."""

    operation_id, schema, documented = "read_orders", ReadSchema(), staticmethod(documented)
    queryset = ORDERS
    filter_backends = [OrderFilters]
    pagination_class = KeysetPagination
    ordering = ["-pk"]
    serializer_class = OrdersPageSerializer

    @staticmethod
    def behind(rows, order):
        return rows.filter(pk__lt=order)

    def get(self, request):
        seen = scope.limit(self.get_queryset(), request.user, "attribution")
        page = self.paginate_queryset(self.filter_queryset(seen))
        mark_orders(page)
        mark_overtime(page, now=timezone.now())
        set_owners(page)
        set_service_now(page)
        return Response(self.get_serializer({"results": page, "next": self.paginator.next}).data)


class OrderView(ReadView):
    """Where an order stands."""

    operation_id, schema = "read_order", ReadSchema()
    queryset = ORDERS.select_related("attribution", "service_type", "shape", "trial").defer("trial__content")
    serializer_class = OrderFactsSerializer
    parameters = [PERSONAL]

    @staticmethod
    def documented() -> list[OpenApiParameter]:
        about = "shows people's data, if the token may; it is noted in the order's history"
        return [OpenApiParameter(PERSONAL, enum=["1"], description=about)]

    def get(self, request, number):
        order = self._order(number)
        set_service_now([order])
        set_owners([order])
        mark_overtime([order], now=timezone.now())
        order.steps, order.facts = current_steps(order), order_status(order, whole=False)
        order.facts["records"] = dict(
            order.billing_records.order_by().values_list("state").annotate(number=Count("pk"))
        )
        stage = current(build_ladder(facts_of(order, now=timezone.now())))
        seen = stage.other and scope.sees(request.user, stage.other)
        order.stands = stage if seen else replace(stage, other=None)
        masked = self.get_serializer(order, context={"shown": False}).data
        if not self._shows_people(order):
            return Response(masked)
        return PersonalResponse(self.get_serializer(order, context={"shown": True}).data, masked)

    def _order(self, number: str) -> Order:
        rows = scope.limit(self.get_queryset(), self.request.user, "attribution")
        order = None if "\0" in number else rows.filter(number=number).first()
        if order is None:
            raise Http404("no order of this number")
        return order

    def _shows_people(self, order: Order) -> bool:
        """Returns True if the request has `personal=1` and the token may read personal data.

        Each disclosure is recorded, also for HEAD requests. If the disclosure can't be recorded in time, the data stay
        masked. Raises BadParameterError for another value of `personal`.
        """
        asked, reader = self.request.GET.get(PERSONAL), self.request.user
        if asked not in {None, "1"}:
            raise BadParameterError(PERSONAL, "must be 1, or left out")
        if asked is None or not may_open(reader):
            return False
        try:
            with database_deadline(WRITE_TIMEOUT_SECONDS):
                note_personal_data_read(order, by=reader.actor, now=timezone.now())
        except Error as error:
            if not is_away(error):
                raise
            return False
        return True


class BillingView(ReadView):
    """What a customer is billed now."""

    operation_id, schema = "read_billing", ReadSchema()
    pagination_class = KeysetPagination
    ordering = ["order_id", "pk"]
    serializer_class = BillingPageSerializer
    parameters = [LIMIT, CURSOR]

    @staticmethod
    def behind(rows, order, record):
        # `order` implies `order__gte`; with `order__gte` the database uses the index
        return rows.filter(Q(order__gt=order) | Q(order=order, pk__gt=record), order__gte=order)

    def get(self, request, enterprise_id):
        orders = scope.limit(Order.objects.filter(enterprise_id=enterprise_id), request.user, "attribution")
        if "\0" in enterprise_id or not enterprise_id or not orders.exists():
            raise Http404("no customer of this id")
        now = timezone.now()
        records = records_of(orders, now=now)
        rows = records.select_related("order", "dispatch").defer("order__content", "dispatch__payload")
        page = self.paginate_queryset(rows)
        set_theirs(page)
        answer = {
            "customer": {"enterprise_id": enterprise_id, "enterprise_name": name_of(orders) or ""},
            "billed": None if self.paginator.keys else count_by_type(records, now=now),
            "results": page,
            "next": self.paginator.next,
        }
        return Response(self.get_serializer(answer).data)
