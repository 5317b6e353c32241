"""The global search `/admin/find/?q=`, also used by the search box at the top of each page.

Each kind is searched only for users with its permissions, within their attributions. No personal data are shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import person_words, staff_actor
from orders.history.owners import OWN, staff_with
from orders.incidents.order_warnings import mark_orders
from orders.lists.chips import chip_of, toned_chip
from orders.lists.owner_column import OwnerFilter
from orders.lists.personal_data import SEE_PERSONAL_DATA
from orders.lists.registration import address_of_list, lists_in_order, right_to_view
from orders.lists.scope import attributions_of, by_number, limit, visible_orders, why_blind
from orders.models import BillingRecord, Customer, InboundMessage, Order, OrderDomain, Province
from orders.people.staff_events import note_phone_searched
from orders.rules.host_names import domain_meant
from orders.rules.search_terms import folded, is_long_enough
from orders.search import find
from orders.search.list_search import RECORDS, customer_address, customer_words, limit_customers, readings, term_meant
from orders.texts.refusal_hints import why_refused

IN_BOX, ON_PAGE = 6, 50
LONGEST = 255  # characters of the longest indexed text
SEE_ORDERS, SEE_CUSTOMERS = "orders.view_order", "orders.view_customer"


@dataclass(frozen=True)
class Hit:
    url: str
    title: str
    more: str = ""
    chip: str = ""


@dataclass(frozen=True)
class Group:
    title: str | Promise
    hits: list[Hit]
    more: bool


@dataclass(frozen=True)
class Kind:
    """A kind of search result with its permissions.

    `search` takes the term, the user and the maximum number of results.
    """

    title: str | Promise
    rights: tuple[str, ...]
    search: Callable[[str, object, int], find.Found]
    hits: Callable[[Iterable], list[Hit]]
    by_people: bool = False  # results reveal personal data, so that searches are recorded


def _order_hits(rows: Iterable[Order]) -> list[Hit]:
    return [
        Hit(_order_address(row.pk), row.number, _joined(row.get_kind_display(), customer_words(row)), chip_of(row))
        for row in rows
    ]


def _customer_hits(rows: Iterable[Customer]) -> list[Hit]:
    return [Hit(customer_address(row.pk), row.shown_name or row.pk, row.pk) for row in rows]


def _domain_hits(rows: Iterable[OrderDomain]) -> list[Hit]:
    return [
        Hit(
            _order_address(row.order_id),
            row.name,
            _joined(_record_words(row), row.order.get_kind_display(), customer_words(row.order), row.order.number),
            chip_of(row.order),
        )
        for row in rows
    ]


def _record_words(row: OrderDomain) -> str | Promise:
    """Returns the text of the domain's record. Returns no text if the chip of the order's state already says the
    same."""
    said = row.record == BillingRecord.Type.TRIAL and row.order.state == Order.State.TRIALING
    return "" if said else RECORDS.get(row.record, "")


def _message_hits(rows: Iterable[InboundMessage]) -> list[Hit]:
    address = "admin:orders_inboundmessage_change"
    return [
        Hit(reverse(address, args=[row.pk]), row.trans_ido, _joined(row.order_number, row.rsp_code)) for row in rows
    ]


def _refused_hits(rows: Iterable[InboundMessage]) -> list[Hit]:
    hits = []
    for row in rows:
        why = why_refused(row)
        word = gettext_lazy("Refused") if row.signed else gettext_lazy("Not rightly signed")
        chip = toned_chip("red" if row.signed else "amber", word)
        came = f"{timezone.localtime(row.received_at):%Y-%m-%d %H:%M}"
        url = reverse("admin:orders_inboundmessage_change", args=[row.pk])
        hits.append(Hit(url, row.order_number, _joined(came, str(why.what), str(why.next)), chip))
    return hits


def _order_address(pk: int) -> str:
    return reverse("admin:orders_order_change", args=[pk])


def _joined(*parts: str | Promise) -> str:
    return " · ".join(str(part) for part in parts if part)


def _in_orders(search: Callable[..., find.Found], *column: str) -> Callable[[str, object, int], find.Found]:
    return lambda term, user, most: search(
        *column, term, limit(Order.objects.all(), user, "attribution"), most, visible_orders(user)
    )


def _find_lists(term: str, user, most: int) -> find.Found:
    """Returns the lists with this name that the user may read, including lists that the menu does not show."""
    named = ((model, title.casefold()) for model in lists_in_order() if (title := str(model._meta.verbose_name_plural)))
    rows = [model for model, title in named if term.casefold() in title and user.has_perm(right_to_view(model))]
    return find.cut(rows, most)


def _list_hits(rows: Iterable[type[Model]]) -> list[Hit]:
    return [Hit(address_of_list(model), str(capfirst(model._meta.verbose_name_plural))) for model in rows]


def _find_people(term: str, user, most: int) -> find.Found:
    """Returns the accounts with this name that may own something. The result links to the list of their work."""
    called = Q(display_name__istartswith=term) | Q(username__istartswith=term)
    return find.cut(staff_with(OWN).filter(called).order_by("display_name", "username")[: most + 1], most)


def _people_hits(rows: Iterable) -> list[Hit]:
    return [
        Hit(
            f"{address_of_list(Order)}?{OwnerFilter.parameter_name}={row.pk}",
            person_words(row.pk, timezone.localdate()),
            _("what this person has"),
        )
        for row in rows
    ]


FOUND_KINDS = [
    Kind(gettext_lazy("Orders"), (SEE_ORDERS,), _in_orders(find.find_orders), _order_hits),
    Kind(gettext_lazy("Customers"), (SEE_CUSTOMERS,),
         lambda term, user, most: find.find_customers(
             term, limit_customers(Customer.objects.all(), user), most, visible_orders(user)
         ), _customer_hits),
    Kind(gettext_lazy("Domains"), (SEE_ORDERS,),
         lambda term, user, most: find.find_domains(
             term, limit(OrderDomain.objects.all(), user), most, visible_orders(user)
         ),
         _domain_hits),
    Kind(gettext_lazy("productId"), (SEE_ORDERS,),
         _in_orders(find.find_by_beginning, "product"), _order_hits),
    Kind(gettext_lazy("BPM processes"), (SEE_ORDERS,),
         _in_orders(find.find_by_beginning, "process"), _order_hits),
    Kind(gettext_lazy("Orders of this transIDO"), (SEE_ORDERS,),
         lambda term, user, most: find.find_by_call(term, limit(Order.objects.all(), user, "attribution"), most),
         _order_hits),
    Kind(gettext_lazy("Messages of this transIDO"), ("orders.view_inboundmessage",),
         lambda term, user, most: find.find_messages(term, by_number(InboundMessage.objects.all(), user), most),
         _message_hits),
    Kind(gettext_lazy("Refused messages of this order number"), ("orders.view_inboundmessage",),
         lambda term, user, most: find.find_refused(term, by_number(InboundMessage.objects.all(), user), most),
         _refused_hits),
    Kind(gettext_lazy("Orders with this phone number"), (SEE_ORDERS, SEE_PERSONAL_DATA), _in_orders(find.find_by_phone),
         _order_hits, by_people=True),
    Kind(gettext_lazy("Whose it is"), (SEE_ORDERS,), _find_people, _people_hits),
    Kind(gettext_lazy("Lists"), (), _find_lists, _list_hits),
]  # fmt: skip


KINDS_OF_WORDS = [
    Kind(gettext_lazy("Orders"), (SEE_ORDERS,),
         lambda text, user, most: find.find_orders_with_all(
             text.split(), limit(Order.objects.all(), user, "attribution"), most, visible_orders(user)
         ), _order_hits),
    Kind(gettext_lazy("Customers"), (SEE_CUSTOMERS,),
         lambda text, user, most: find.find_customers_with_all(
             text.split(), limit_customers(Customer.objects.all(), user), most, visible_orders(user)
         ), _customer_hits),
]  # fmt: skip


def find_groups(term: str, request: HttpRequest, most: int) -> list[Group]:
    """Returns the rows that the term finds and the user may see, by kind. These are the rows of the first reading that
    finds any row."""
    for words in readings(term):
        if not any(map(why_not, words)):
            kinds = FOUND_KINDS if len(words) == 1 else KINDS_OF_WORDS
            if groups := _find(" ".join(words), kinds, request, most):
                return groups
    return []


def _find(term: str, kinds: list[Kind], request: HttpRequest, most: int) -> list[Group]:
    groups = []
    for kind in kinds:
        if request.user.has_perms(kind.rights):
            found = kind.search(term, request.user, most)
            if kind.by_people and found.rows:
                note_phone_searched(len(found.rows), phone=term, by=staff_actor(request.user), now=timezone.now())
            if found.rows or found.more:
                groups.append((kind, found))
    rows = [row for _kind, found in groups for row in found.rows]
    mark_orders(
        [row for row in rows if isinstance(row, Order)] + [row.order for row in rows if isinstance(row, OrderDomain)]
    )
    return [Group(kind.title, kind.hits(found.rows), found.more) for kind, found in groups]


def term_of(text: str) -> str:
    """Returns the search term. A text too long for a name is read as a URL."""
    term = term_meant(text)
    return domain_meant(term) if len(term) > LONGEST else term


def why_not(term: str) -> str:
    """Returns the reason why this text can't be searched, or an empty string if it can."""
    if not term:
        return _("Type any part of a number, a customer or a domain: at least 4 characters, or 2 Chinese ones.")
    if "\0" in term or any("\ud800" <= character <= "\udfff" for character in term):
        return _("This text has characters that no number or name has.")
    if len(term) > LONGEST:
        return _("This text is too long: at most %(most)d characters.") % {"most": LONGEST}
    return ""


def why_nothing(term: str) -> str:
    """Returns the reason why a search found nothing: short texts are searched only as a whole."""
    if is_long_enough(folded(term), find.WHOLE_IN_DOMAIN):
        return ""
    if not is_long_enough(folded(term), find.WHOLE):
        return _(
            "Nothing is called so. For a part of it type at least 4 characters (of a domain 5), or 2 Chinese ones."
            " 3 or 4 find domains that begin with them or have a part of that name."
        )
    return _(
        "No number and no customer has this in it, and no domain begins with it. For a part of a domain type at least"
        " 5 characters."
    )


def searched_for(term: str, user) -> str:
    """Returns a text that names what was searched for the term. If there are several words, the text says that all
    words must match."""
    kinds = dict.fromkeys(str(kind.title) for kind in FOUND_KINDS if user.has_perms(kind.rights))
    said = _("Searched: %(kinds)s.") % {"kinds": _(", ").join(kinds)}
    several = _("An order or customer must have each of the words.")
    return f"{said} {several}" if len(term.split()) > 1 else said


def hidden_by_limit(user) -> str:
    """Returns the attributions to which the search was limited. The result is empty without a limit."""
    letters = attributions_of(user)
    if not letters:
        return "" if letters is None else str(why_blind(user))
    names = Province.objects.filter(pk__in=letters).order_by("code").values_list("name", flat=True)
    return _("Your account sees %(places)s only: what belongs to others is not found.") % {
        "places": _(", ").join(names)
    }


def find_page(request: HttpRequest) -> HttpResponse:
    """GET with `q` returns the results, or a redirect to the only result. With `part`, returns only the results, for
    the search box."""
    term = term_of(request.GET.get("q", ""))
    in_box = "part" in request.GET
    problem = why_not(term)
    groups = [] if problem else find_groups(term, request, IN_BOX if in_box else ON_PAGE)
    problem = problem or ("" if groups else why_blind(request.user) or why_nothing(term))
    hidden = "" if groups or not term else hidden_by_limit(request.user)
    hidden = "" if hidden == problem else hidden
    context = {"term": term[:LONGEST], "problem": problem, "groups": groups, "in_box": in_box, "hidden": hidden}
    context["searched"] = "" if problem or groups else searched_for(term, request.user)
    context["behind"] = not problem and find.is_behind()
    if in_box:
        return TemplateResponse(request, "includes/found.html", context)
    found = {hit.url for group in groups for hit in group.hits}
    if len(found) == 1 and not context["behind"] and not any(group.more for group in groups):
        return redirect(found.pop())
    context |= {**admin.site.each_context(request), "title": _("Search")}
    return TemplateResponse(request, "admin/orders/find.html", context)
