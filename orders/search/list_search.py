"""Search by a word or its beginning. Each lookup has an index, so the number of orders does not matter."""

import re
import unicodedata
from collections.abc import Callable
from functools import reduce
from operator import and_, attrgetter, or_

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import quote
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.masks import folded as plain_letters
from orders.intake.customer_names import name_in
from orders.lists.cells import clipped, column
from orders.lists.scope import attributions_of, visible_orders
from orders.models import BillingRecord, Customer, Order, OrderDomain
from orders.rules.host_names import domain_key, domain_meant
from orders.search.find import customers_meant, is_behind

LOOKS_LIKE_AN_ID = re.compile(r"[A-Za-z0-9_.:-]+")
GROUPED_DIGITS = re.compile(r"\+?[0-9-]+")
MOST_WORDS = 8  # a text with more words is searched only as a whole
RECORDS = {BillingRecord.Type.COMMERCIAL: _("being billed"), BillingRecord.Type.TRIAL: _("on trial now")}
"""Texts for the record in force of a domain or customer. A commercial record has priority over a trial's."""
FEW = 200


def readings(text: str) -> list[list[str]]:
    """Returns the ways to read a typed or pasted text, the most literal first. All words of a reading must be found.

    The first reading is the text as it is (or the host of a URL), the second is the words of the text. Then follow the
    same two readings in ordinary letters and digits (NFKC), and at last the joined words. Digits are joined without
    hyphens. A mobile number is also joined without +86.
    """
    whole = term_meant(text)
    plain = unicodedata.normalize("NFKC", plain_letters(whole)).strip()
    texts = [[whole], whole.split(), [plain], plain.split(), ["".join(plain.split())]]
    if GROUPED_DIGITS.fullmatch(joined := texts[-1][0]):
        texts[-1] = [re.sub(r"^\+?86(?=1\d{10}$)", "", joined.replace("-", ""))]
    return [
        words for n, words in enumerate(texts) if any(words) and len(words) <= MOST_WORDS and words not in texts[:n]
    ]


def each_word(text: str, fits: Callable[[str], Q]) -> Q:
    """Returns the condition that all words of at least one reading match. A blank text gives a condition that all rows
    meet."""
    return reduce(or_, (reduce(and_, map(fits, words)) for words in readings(text)), Q())


def search_orders(rows, text: str, visible: QuerySet[Order] | None):
    """Keeps the orders that match all words of a reading of the text (`readings`).

    A word matches if the number, the trial number, the product id, the enterprise (id or name) or a domain begins with
    it. Two Chinese characters from the middle of an enterprise's name match too. `visible`: the orders that a limited
    reader may see, or None if the reader may see all orders.
    """
    return rows.filter(each_word(text, lambda term: _order_fits(term, visible)))


def _order_fits(term: str, visible: QuerySet[Order] | None) -> Q:
    if LOOKS_LIKE_AN_ID.fullmatch(term):
        found = _by_id(term)
        few = _few(Order.objects.filter(found).order_by().values_list("pk", flat=True))
        return found if few is None else Q(pk__in=few)  # otherwise all orders might be scanned for a few rows
    customers = customers_meant(term, visible)
    found = Q(enterprise_id__in=customers)
    if (behind := is_behind()) or customers == []:
        found |= Q(**{f"enterprise_name__{'icontains' if behind else 'startswith'}": term})
    return found | Q(pk__in=_with_domain(term)) if _may_be_a_domain(term) else found


def term_meant(term: str) -> str:
    """Returns the search term. For a pasted URL, this is its host."""
    return domain_meant(term) if "//" in term else term.strip()


def _may_be_a_domain(term: str) -> bool:
    """Returns True if a term may be the beginning of a domain. A dot distinguishes it from a customer's name."""
    host = domain_meant(term)
    return "." in host and domain_key(host).isascii()


def _by_id(term: str) -> Q:
    fields = ["number", "trial_number", "product_id", "enterprise_id", "enterprise_name"]
    found = Q(pk__in=_with_domain(term))
    for name in fields:
        found |= Q(**{f"{name}__startswith": term})
    return found


def _with_domain(term: str):
    """Returns the orders with a domain that begins with the term. Few orders are returned as a list of ids, since every
    index can be used for a list in an OR. Many orders are returned as a subquery."""
    rows = (
        OrderDomain.objects.filter(key__startswith=domain_key(domain_meant(term)))
        .order_by()
        .values_list("order_id", flat=True)
    )
    few = _few(rows)
    return rows if few is None else few


def _few(ids: QuerySet) -> list[int] | None:
    """Returns the ids, or None if there are more than FEW."""
    found = list(ids[: FEW + 1])
    return found if len(found) <= FEW else None


def search_by_order(rows, text: str, visible: QuerySet[Order] | None, *, order: str = "order", domain: str = ""):
    """Keeps the rows whose order matches all words of a reading of the text (`readings`).

    A word matches if it is the order's customer, or if the order's number begins with it. With `domain`, a field of
    domain keys, a word also matches if this field begins with it.
    """
    return rows.filter(each_word(text, lambda term: _row_fits(term, visible, order=order, domain=domain)))


def _row_fits(term: str, visible: QuerySet[Order] | None, *, order: str, domain: str) -> Q:
    customers = customers_meant(term, visible)
    named = Q() if term.isascii() or not is_behind() else Q(**{f"{order}__enterprise_name__icontains": term})
    if customers != []:
        named |= Q(**{f"{order}__enterprise_id__in": customers})
        if not (domain and _may_be_a_domain(term)):
            return named
    numbers = Order.objects.filter(number__startswith=term).order_by().values_list("pk", flat=True)
    few = _few(numbers)
    found = named | Q(**{f"{order}__in": numbers if few is None else few})
    return found | Q(**{f"{domain}__startswith": domain_key(domain_meant(term))}) if domain else found


def order_anchor(order: Order | None, query: str = "") -> str | None:
    if order is None:
        return None
    url = reverse("admin:orders_order_change", args=[order.pk]) + query
    return format_html('<a class="mono cut" title="{1}" href="{0}">{1}</a>', url, order.number)


def order_field(path: str, label, query: str = "", **display) -> Callable:
    order = attrgetter(path)
    return column(
        label,
        lambda row: (found := order(row)) and found.number,
        lambda row: order_anchor(order(row), query),
        **display,
    )


def customer_address(enterprise_id: str, page: str = "change") -> str:
    return reverse(f"admin:orders_customer_{page}", args=[quote(enterprise_id)])


def customer_words(order: Order) -> str:
    return order.enterprise_name or order.enterprise_id


def customer_anchor(order: Order) -> str | None:
    """Returns a link to the customer's page. An order that waits for its trial may have no customer yet."""
    name = customer_words(order)
    if not order.enterprise_id:
        return clipped(name) if name else None
    return format_html('<a class="cut" title="{1}" href="{0}">{1}</a>', customer_address(order.enterprise_id), name)


def limit_customers(rows: QuerySet[Customer], user) -> QuerySet[Customer]:
    """Keeps the customers with an order that the user may see. `shown_name` and `shown_at` come from the newest of
    these orders."""
    letters, visible = attributions_of(user), visible_orders(user)
    if letters is None or visible is None:
        return rows.annotate(shown_name=F("name"), shown_at=F("last_seen"))
    places = Customer.attributions.through.objects.filter(customer=OuterRef("pk"), province__in=letters)
    newest = visible.filter(enterprise_id=OuterRef("pk")).order_by("-pk")
    return rows.filter(Exists(places)).annotate(
        shown_name=name_in(newest), shown_at=Subquery(newest.values("received_at")[:1])
    )


class CustomerFilter(SimpleListFilter):
    """Filters rows by the enterprise id of their order. Only links on the customer's page set this filter."""

    title, parameter_name = _("customer"), "customer"
    path = "order__enterprise_id"

    def lookups(self, request, model_admin):
        return [(self.value(), self.value()[:40])] if self.value() else []

    def queryset(self, request, queryset):
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class OrderSearch:
    """A ModelAdmin mixin that searches by the order's number or its beginning. `order_link` links to the order."""

    search_fields = ["order__number"]  # shows the search box; get_search_results does the search
    search_help_text = _("order number: whole, or how it begins")
    search_path = "order"
    search_domain = ""

    def get_search_results(self, request, queryset, search_term):
        visible = visible_orders(request.user)
        found = search_by_order(queryset, search_term, visible, order=self.search_path, domain=self.search_domain)
        return found, False

    order_link = order_field("order", _("order"), empty_value="-")
