"""The URLs and views of an order's page, its decisions and its files. `orders`: the ModelAdmin of orders."""

import functools

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import URLPattern, path

from orders.db.unstorable_values import is_id
from orders.lists.live_pages import answer_live_page
from orders.lists.neighbours import FROM_LIST, PLACE, Neighbours, find_neighbours
from orders.models import Order
from orders.order_page.action_page import answer_decision, answer_recheck
from orders.order_page.files import answer_file, answer_upload
from orders.order_page.page_context import page_context
from orders.order_page.page_fingerprint import opened_fingerprint
from orders.order_page.panel import answer_preview

FOLDER = "admin/orders/order"


def order_pages(orders) -> list[URLPattern]:
    view = orders.about_order
    return [
        path("<int:pk>/do/<slug:key>/", view(answer_decision), name="orders_order_decide"),
        path("<int:pk>/recheck/", view(answer_recheck), name="orders_order_recheck"),
        path("<int:pk>/file/<slug:field>/", view(answer_file), name="orders_order_file"),
        path("<int:pk>/print/", view(answer_print), name="orders_order_print"),
        path("<int:pk>/preview/", view(answer_preview), name="orders_order_preview"),
        path("<int:pk>/upload/<slug:field>/", view(answer_upload), name="orders_order_upload"),
    ]


def answer_page(orders, request: HttpRequest, pk: str):
    """Returns the order's page, a live page. It accepts no POST: decisions have their own URLs."""

    show = functools.partial(_page, orders, request, pk)
    if not is_id(pk):
        return show()
    return answer_live_page(request, lambda: opened_fingerprint(request, int(pk)), show, whole_desk=False)


def _page(orders, request: HttpRequest, pk: str):
    if request.method not in {"GET", "HEAD"}:
        raise PermissionDenied
    order = orders.order_or_404(request, pk)
    context = page_context(request, order, orders.get_queryset(request))
    near = _neighbours(orders, request, order)
    return orders.show(request, f"{FOLDER}/page.html", title=order.number, near=near, **context)


def answer_print(orders, request: HttpRequest, order: Order):
    context = page_context(request, order, orders.get_queryset(request), whole=True)
    return orders.show(request, f"{FOLDER}/print.html", title=order.number, **context)


def _neighbours(orders, request: HttpRequest, order: Order) -> Neighbours | None:
    """Returns the previous and next order in the list that the user came from, or None without a list."""
    query, place = request.GET.get(FROM_LIST, ""), request.GET.get(PLACE, "")
    found = query and find_neighbours(orders, query, request.user, order, place=place, fields=("number",))
    return found or None
