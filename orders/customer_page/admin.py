"""Admin pages of customers: the list, a customer's page with the figures at its head, and the form for a note."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, Max, Min, OuterRef, Prefetch, QuerySet
from django.http import Http404
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.customer_page.billed_now import count_by_type, records_of
from orders.customer_page.tabs import DIFFERENCES, ORDERS, TROUBLES, Ask, open_tab, tabs_for
from orders.customer_page.tabs import RECORDS as SEE_RECORDS
from orders.history.actors import staff_actor
from orders.incidents.order_warnings import count_open, open_troubles
from orders.intake.customer_names import name_of
from orders.lists.cells import clipped, column, cut_column
from orders.lists.change_list import DeskChangeList
from orders.lists.chips import toned_chip
from orders.lists.filter_kinds import PlacesFilter, day_filter
from orders.lists.notes import Notes, notes_within
from orders.lists.personal_data import open_personal_data
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.reason import reason_field
from orders.lists.registration import Section, register_list
from orders.lists.scope import attributions_of, limit, visible_orders
from orders.lists.time_cells import ago_field
from orders.mails.inbox import is_watched
from orders.models import BillingRecord, Customer, CustomerNote, Difference, Order, Province
from orders.people.staff_events import note_customer
from orders.search.find import is_behind, which_fit
from orders.search.list_search import RECORDS, customer_address, each_word, limit_customers

FOLDER = "admin/orders/customer"
WRITE = "orders.add_note"


class CustomerNoteForm(forms.Form):
    note = reason_field(
        gettext_lazy("Note"),
        help_text=gettext_lazy("It stands on top of the customer's page, with your name, for good."),
    )


class NewestOrderFilter(day_filter("last_seen", gettext_lazy("newest order"), parameter="newest")):
    """Filters by the newest order that the user may see, which the column shows."""

    def bounds(self, model):
        return {name.replace(self.field, "shown_at"): bound for name, bound in super().bounds(model).items()}


class CustomerChangeList(DeskChangeList):
    """Reads the current billing of the customers on a page, in one query. For limited users only the orders that they
    may see count."""

    def add_facts(self, rows):
        records, visible = BillingRecord.objects.in_force(timezone.now()), visible_orders(self.request.user)
        if visible is not None:
            records = records.filter(order__in=visible.order_by().values("pk"))
        records = records.filter(order__enterprise_id=OuterRef("pk")).order_by()
        facts = {kind: Exists(records.filter(info_type=kind)) for kind in RECORDS}
        found = Customer.objects.filter(pk__in=[row.pk for row in rows]).order_by()
        in_force = {pk: kinds for pk, *kinds in found.values_list("pk", *facts.values())}
        for row in rows:
            row.billed_by = next((kind for kind, has in zip(RECORDS, in_force[row.pk], strict=True) if has), None)


def _name(customer: Customer) -> str:
    return customer.shown_name or customer.enterprise_id


def _billed_now(customer: Customer) -> str | None:
    """Returns a chip: a commercial record is in force now, or else a trial record; None without either."""
    if customer.billed_by is None:
        return None
    tone = "green" if customer.billed_by == BillingRecord.Type.COMMERCIAL else "blue"
    return toned_chip(tone, RECORDS[customer.billed_by], url=f"{customer_address(customer.pk)}?tab=billing")


@register_list(
    Customer,
    menu=(Section.DESK, 20),
    empty=gettext_lazy("No customer yet. One shows here within seconds after its first order."),
    name="customers",
)
class CustomerAdmin(ReadOnlyAdmin):
    """Read-only, except for notes."""

    changelist = CustomerChangeList
    list_display = ["customer_name", "enterprise_id", "places", "billed_now", "newest_order"]
    column_meanings = {
        "customer_name": gettext_lazy("name, as the newest order has it"),
        "places": gettext_lazy("attributions of the customer's orders"),
        "billed_now": gettext_lazy("whether a commercial record counts now, or else a trial's"),
        "newest_order": gettext_lazy("when the newest order arrived"),
    }
    list_filter = [NewestOrderFilter, PlacesFilter]
    search_fields = ["enterprise_id"]  # shows the search box; get_search_results does the search
    search_help_text = gettext_lazy("any part of the name or enterprise id")

    def heading(self, obj):
        return _name(obj)

    def list_context(self, request):
        return {"behind": is_behind()}

    def get_queryset(self, request):
        letters = attributions_of(request.user)
        visible = Province.objects.all() if letters is None else Province.objects.filter(letters__in=letters)
        rows = limit_customers(super().get_queryset(request), request.user)
        return rows.prefetch_related(Prefetch("attributions", visible))

    def get_search_results(self, request, queryset, search_term):
        visible = visible_orders(request.user)
        return queryset.filter(each_word(search_term, lambda term: which_fit(term, visible))), False

    customer_name = cut_column(gettext_lazy("customer"), _name, clipped)

    @admin.display(description=gettext_lazy("attributions"), empty_value="-")
    def places(self, obj):
        return _(", ").join(row.name for row in obj.attributions.all()) or None

    billed_now = column(
        gettext_lazy("billed now"), lambda obj: RECORDS.get(obj.billed_by), _billed_now, empty_value="-"
    )
    newest_order = ago_field("shown_at", gettext_lazy("newest order"))

    # --- a customer's page

    def get_urls(self):
        note = self.admin_site.admin_view(self.note_view)
        return [path("<path:object_id>/note/", note, name="orders_customer_note"), *super().get_urls()]

    def get_object(self, request, object_id, from_field=None):
        if "\0" in object_id:
            return None
        return super().get_object(request, object_id, from_field) or not_indexed(
            object_id, visible_orders(request.user)
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        context = page_context(request, self.customer_or_404(request, object_id))
        return self.show(request, f"{FOLDER}/page.html", **context)

    def note_view(self, request, object_id: str):
        if not self.has_view_permission(request) or not request.user.has_perm(WRITE):
            raise PermissionDenied
        customer = self.customer_or_404(request, object_id)
        form = CustomerNoteForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            by, text = staff_actor(request.user), form.cleaned_data["note"]
            note_customer(enterprise_id=customer.pk, text=text, by=by, now=timezone.now())
            messages.success(request, _("The note is kept."))
            return redirect(customer_address(customer.pk))
        return self.show(request, f"{FOLDER}/note.html", title=_("Write a note"), form=form, customer=customer)

    def customer_or_404(self, request, object_id: str) -> Customer:
        customer = self.get_object(request, unquote(object_id))
        if customer is None:
            raise Http404
        return customer


def page_context(request, customer: Customer) -> dict:
    """Returns the templates' context. Opening personal data is recorded."""
    user = request.user
    tabs = tabs_for(user)
    tab = open_tab(tabs, request.GET.get("tab"))
    where = f"customer {customer.pk} {tab.key if tab else ''}"
    personal = open_personal_data(request, None, where, there=tab is not None and tab.personal)
    orders = limit(Order.objects.filter(enterprise_id=customer.pk), user, "attribution")
    now = timezone.now()
    ask = Ask(customer, orders, now, _places(customer, orders), request.GET, personal)
    return {
        "title": customer.shown_name or customer.pk,
        "customer": customer,
        "places": ask.places,
        "notes": _notes(customer, user),
        "watched": is_watched(user, customer),
        **_figures(ask, user),
        "tab": tab,
        "tabs": tabs,
        "personal": personal,
        **(tab.load(ask) if tab else {}),
    }


def _notes(customer: Customer, user) -> Notes:
    """Returns the customer's notes. If it has orders that the user may not see, a note may be about one of those."""
    letters = attributions_of(user)
    theirs = Order.objects.filter(enterprise_id=customer.pk).exclude(attribution__in=letters or ())
    write = customer_address(customer.pk, "note") if user.has_perm(WRITE) else ""
    rows = CustomerNote.objects.filter(enterprise_id=customer.pk)
    return notes_within(rows, letters, others=letters is not None and theirs.exists(), write=write)


def _figures(ask: Ask, user) -> dict:
    """Returns the figures of orders, records, differences and incidents for the head, each only if the user may see its
    list."""
    found: dict = {}
    if user.has_perm(ORDERS):
        found["count"] = ask.orders.aggregate(orders=Count("pk"), first=Min("received_at"), last=Max("received_at"))
    if user.has_perms([ORDERS, SEE_RECORDS]):
        counted = count_by_type(records_of(ask.orders, now=ask.now), now=ask.now)
        found |= {"billed_by_type": counted, "billed_now": any(row.number for row in counted)}
    if user.has_perm(DIFFERENCES):
        found["differing"] = count_open(Difference.objects.filter(order__in=ask.ids))
    if user.has_perms(TROUBLES):
        open_ones = open_troubles().filter(order__in=ask.ids)
        found["troubles"] = open_ones.aggregate(number=Count("incident", distinct=True))["number"]
    return found


def not_indexed(enterprise_id: str, visible: QuerySet[Order] | None) -> Customer | None:
    """Returns a customer whose orders are not indexed yet, built from its orders and not saved. None without orders."""
    rows = Order.objects.all() if visible is None else visible
    rows = rows.filter(enterprise_id=enterprise_id)
    newest = rows.order_by("-pk").only("received_at").first()
    if newest is None:
        return None
    customer = Customer(enterprise_id=enterprise_id, name=name_of(rows), last_order=newest)
    customer.shown_name, customer.shown_at = customer.name, newest.received_at
    return customer


def _places(customer: Customer, orders: QuerySet[Order]) -> dict[str, str]:
    if customer.last_seen is None:  # it is not stored yet
        named = orders.exclude(attribution=None).order_by().values_list("attribution", "attribution__name")
        return dict(named.distinct())
    return {row.letters: row.name for row in customer.attributions.all()}
