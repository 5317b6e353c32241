"""The addresses of an order's page: the page itself, its decisions and its files."""

import functools
from collections.abc import Callable
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import Http404
from django.urls import path, reverse
from django.utils import timezone

from orders.db.odd_values import is_id
from orders.intake.entered import ENTERED
from orders.lists.neighbours import FROM_LIST, PLACE, Neighbours, find_neighbours
from orders.lists.open_pages import answer_moving, asks_for_a_part
from orders.models import Order, OrderEvent
from orders.order_page.action_page import answer_decision, answer_recheck
from orders.order_page.files import answer_file, answer_upload
from orders.order_page.page_context import page_context
from orders.order_page.page_marks import newest_event, order_marks

FOLDER = "admin/orders/order"


class OrderPages:
    def get_urls(self):
        wrap = self.admin_site.admin_view
        mine = [
            path("<int:pk>/do/<slug:key>/", wrap(self.about_order(answer_decision)), name="orders_order_decide"),
            path("<int:pk>/recheck/", wrap(self.about_order(answer_recheck)), name="orders_order_recheck"),
            path("<int:pk>/file/<slug:field>/", wrap(self.about_order(answer_file)), name="orders_order_file"),
            path("<int:pk>/print/", wrap(self.print_view), name="orders_order_print"),
            path("<int:pk>/upload/<slug:field>/", wrap(self.about_order(answer_upload)), name="orders_order_upload"),
        ]
        return mine + super().get_urls()

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """The page, which moves. Nothing is written through it: decisions have their own addresses."""

        def read():
            marks = order_marks(int(object_id), request.user.pk, timezone.now())
            if not asks_for_a_part(request):
                request.moving_opened = str(newest_event(marks))
            return marks

        show = functools.partial(self._page, request, object_id)
        return answer_moving(request, read, show, whole_desk=False) if is_id(object_id) else show()

    def _page(self, request, pk: str):
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        order = self.visible(request).filter(pk=pk).first() if is_id(pk) else None
        if order is None:
            raise Http404
        context = page_context(request, order, self.get_queryset(request))
        near = self.neighbours(request, order)
        return self.show(request, f"{FOLDER}/page.html", title=order.number, near=near, **context)

    def print_view(self, request, pk: int):
        order = self.order_or_404(request, pk)
        context = page_context(request, order, self.get_queryset(request), whole=True)
        return self.show(request, f"{FOLDER}/print.html", title=order.number, **context)

    def about_order(self, answer: Callable) -> Callable:
        """The view of an address below an order's: `answer` gets these pages, the request and the order."""

        def view(request, pk: int, **named):
            return answer(self, request, self.order_or_404(request, pk), **named)

        return view

    def neighbours(self, request, order: Order) -> Neighbours | None:
        """The orders before and after in the list that the person came from. None if they came from none."""
        query, place = request.GET.get(FROM_LIST, ""), request.GET.get(PLACE, "")
        found = query and find_neighbours(self, query, request.user, order, place=place, fields=("number",))
        return found or None

    def get_preserved_filters(self, request):
        """A link from the list tells the order's page of it, even without a filter: by the page."""
        found = super().get_preserved_filters(request)
        there = request.path == reverse("admin:orders_order_changelist")
        return found or (urlencode({FROM_LIST: "p=1"}) if there else "")

    def visible(self, request):
        """The orders that this person may see, with what the pages' heads name; `entered_by`: who did so by hand."""
        entered = OrderEvent.objects.filter(order=OuterRef("pk"), kind=ENTERED).values("actor")[:1]
        rows = self.get_queryset(request).select_related("trial", "attribution", "service_type")
        return rows.annotate(entered_by=Subquery(entered))

    def order_or_404(self, request, pk: int) -> Order:
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = self.visible(request).filter(pk=pk).first()
        if order is None:
            raise Http404
        return order
