"""The address of a customer's page, and what its head shows."""

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Min
from django.template.response import TemplateResponse

from orders.admin.personal import PERMISSION, asks_to_see, note_seen
from orders.admin.scope import limit
from orders.customer_page.billed_now import count_by_type, records_of
from orders.customer_page.tabs import TABS, Ask, open_tab
from orders.models import AffectedOrder, Customer, Difference, Order
from orders.order_page.page_context import mask_for
from orders.queries.doubts import count_open

TEMPLATE = "admin/orders/customer/page.html"


class CustomerPages:
    """The page's part of the customers' ModelAdmin. Nothing is written through it."""

    def get_object(self, request, object_id, from_field=None):
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        customer = self.get_object(request, unquote(object_id))
        if customer is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {**self.admin_site.each_context(request), "opts": self.opts, **page_context(request, customer)}
        return TemplateResponse(request, TEMPLATE, context)


def page_context(request, customer: Customer) -> dict:
    """All that the templates need. Opening people's data is noted."""
    tab = open_tab(request.GET.get("tab"))
    shown = asks_to_see(request) and tab.personal
    if shown:
        note_seen(request, None, f"customer {customer.pk} {tab.key}")
    orders = limit(Order.objects.filter(enterprise_id=customer.pk), request.user, "attribution")
    ask = Ask(customer, orders, _places(customer), request.GET, mask_for(shown))
    troubles = AffectedOrder.objects.unresolved().filter(order__in=ask.ids)
    return {
        "title": customer.shown_name or customer.pk,
        "customer": customer,
        "places": ask.places,
        "billed_by_type": count_by_type(records_of(orders)),
        "differing": count_open(Difference.objects.filter(order__in=ask.ids)),
        "troubles": troubles.count(),
        "count": orders.aggregate(orders=Count("pk"), first=Min("received_at"), last=Max("received_at")),
        "tab": tab,
        "tabs": TABS,
        "personal": {"shown": shown, "allowed": request.user.has_perm(PERMISSION), "there": tab.personal},
        **tab.load(ask),
    }


def _places(customer: Customer) -> dict[str, str]:
    """The customer's attributions that the reader may see, as the ModelAdmin fetched them: `{letters: name}`."""
    return {row.letters: row.name for row in customer.attributions.all()}
