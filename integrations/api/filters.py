"""Offers the filters of the staff's list of orders as query parameters, with codes and names instead of ids."""

from django.contrib.admin import SimpleListFilter
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.filters import BaseFilterBackend

from integrations.api.errors_and_etags import TWICE, UNKNOWN, BadParameterError
from integrations.api.pagination import CURSOR, LIMIT
from orders.admin import order_list
from orders.history.owners import OWN, staff_with
from orders.lists.filter_kinds import DayFilter, IncorrectLookupParameters, WordFilter, word_filter
from orders.lists.list_query import DAYS, ORDER_VAR, SEARCH_VAR, is_simple, named_values, said_as, shortened
from orders.lists.owner_column import NOBODY, OwnerFilter
from orders.lists.scope import attributions_of, visible_orders
from orders.models import Order, Province, ServiceType
from orders.people.owned_work import is_nobodys, is_of
from orders.search.list_search import search_orders
from orders.trials.trial_state_reads import SERVICE_NOW

EMPTY = {"True": True, "False": False, "1": True, "0": False}


def _title(field: str) -> str:
    return Order._meta.get_field(field).verbose_name


def _choice(field: str) -> type[SimpleListFilter]:
    choices = Order._meta.get_field(field).flatchoices or [("0", _("No")), ("1", _("Yes"))]
    return word_filter(field, _title(field), {value: (label, Q(**{field: value})) for value, label in choices})


def _is_empty(field: str) -> type[SimpleListFilter]:
    path = "service_now" if field == "service_type" else field
    words = {value: (value, Q(**{f"{path}__isnull": empty})) for value, empty in EMPTY.items()}
    return word_filter(f"{field}__isnull", _title(field), words)


class AttributionFilter(SimpleListFilter):
    """Accepts the attributions that the token may see."""

    title, parameter_name = _title("attribution"), "attribution"

    def lookups(self, request, model_admin):
        letters, rows = attributions_of(request.user), Province.objects.values_list("pk", flat=True)
        return [(one, one) for one in rows if letters is None or one in letters]

    def queryset(self, request, queryset):
        return queryset.filter(attribution=self.value())


class ServiceFilter(SimpleListFilter):
    """Filters by service type. A trial is found by its current target type."""

    title, parameter_name = _title("service_type"), "service_type"

    def lookups(self, request, model_admin):
        return [(one, one) for one in ServiceType.objects.order_by("pk").values_list("pk", flat=True)]

    def queryset(self, request, queryset):
        return queryset.filter(service_now=self.value())


class OwnedFilter(SimpleListFilter):
    """Filters by the owner's user name. The value `nobody` selects orders that need an owner but have none.

    Accepts only users who may own an order that the token can see. All other names, known or unknown, get the same
    error.
    """

    title, parameter_name = OwnerFilter.title, OwnerFilter.parameter_name

    def lookups(self, request, model_admin):
        letters, people = attributions_of(request.user), staff_with(OWN).filter(username=self.value())
        if letters is not None:
            people = people.filter(Q(limited=False) | Q(attributions__in=letters))
        return [(NOBODY, NOBODY), *([(self.value(), self.value())] if people.exists() else [])]

    def queryset(self, request, queryset):
        if self.value() == NOBODY:
            return queryset.filter(is_nobodys(Order))
        return queryset.filter(is_of(Order, staff_with(OWN).get(username=self.value()).pk))


FOR_SYSTEMS = {one.parameter_name: one for one in (OwnedFilter, AttributionFilter, ServiceFilter)}
FILTERS: dict[str, type[SimpleListFilter]] = {
    name: FOR_SYSTEMS.get(name) or (entry if is_simple(entry) else _choice(name))
    for entry in order_list.OrderAdmin.list_filter
    for name in [said_as(entry)]
}
PARAMETERS = [*FILTERS, SEARCH_VAR, LIMIT, CURSOR]
FIELDS = {
    "state": "",
    "held_because": "",
    "kind": "",
    "first": "",
    "attribution": "letters__",
    "service_type": "code__",
}
ALIASES = {f"{field}__{key}exact": field for field, key in FIELDS.items()}
"""Parameter names of the staff's list, so that a URL copied from that list works here unchanged."""
ALL = FILTERS | {f"{field}__isnull": _is_empty(field) for field in FIELDS}


def documented() -> list[OpenApiParameter]:
    search = OpenApiParameter(SEARCH_VAR, description="a number or its beginning, a customer, a domain, a product id")
    return [*(_documented(name, one) for name, one in FILTERS.items()), search]


def _documented(name: str, one: type[SimpleListFilter]) -> OpenApiParameter:
    if not issubclass(one, DayFilter):
        words = list(one.conditions) if issubclass(one, WordFilter) else None
        return OpenApiParameter(name, description=str(one.title), enum=words)
    words = ", ".join(word for word, _label in one(None, {}, Order, None).lookup_choices)
    days = "2026-11-25, 2026-11-01..2026-11-25, 2026-11-01.. or ..2026-11-25"
    return OpenApiParameter(name, description=f"{one.title}: {words}, or days: {days}")


class OrderFilters(BaseFilterBackend):
    """Rejects unknown parameters and values. If they were ignored, the response would contain unwanted orders."""

    def filter_queryset(self, request, queryset, view):
        found, rows = set(), queryset.alias(service_now=SERVICE_NOW)
        for given, value in request.GET.items():
            name = ALIASES.get(given, given)
            if name in found:
                raise BadParameterError(given, TWICE)
            found.add(name)
            if name == SEARCH_VAR and "\0" not in value:
                rows = search_orders(rows, value, visible_orders(request.user))
            elif name not in (LIMIT, CURSOR):
                rows = self._filtered(request, rows, name, given, value)
        return rows

    def _filtered(self, request, rows, name: str, given: str, value: str):
        if "\0" in given + value:
            raise _wrong(given.replace("\0", ""), "NUL", [])
        if name == ORDER_VAR:
            raise BadParameterError(given, f"orders come the newest first; parameters are: {', '.join(PARAMETERS)}")
        if name not in ALL:
            raise BadParameterError(shortened(given), UNKNOWN.format(names=", ".join(PARAMETERS)))
        chosen = ALL[name](request, {name: [value]}, Order, None)
        offered = [str(word) for word, _label in chosen.lookup_choices]
        if value in offered:
            try:
                return chosen.queryset(request, rows)
            except IncorrectLookupParameters:
                offered.remove(value)
        raise _wrong(given, value, [*offered, *(DAYS if isinstance(chosen, DayFilter) else [])])


def _wrong(given: str, value: str, values: list[str]) -> BadParameterError:
    name = shortened(given)
    words = f"filter {name} has no value {shortened(value)}; there are: {named_values(values)}"
    return BadParameterError(name, words)
