"""Finds orders, customers and other rows by any part of a text. PostgreSQL uses an index, while SQLite scans the texts
of a kind.

At most CANDIDATES texts are read. Texts that end with the term come first. So a term that matches half of all orders
takes no longer than any other term, and `more` says that there are further matches. Rows are taken from the callers'
querysets, which contain only rows that the reader may see. `scope`: the orders that a limited reader may see, or None
for all orders. So nobody finds a customer by a name that occurs only in orders outside the scope. For a limited reader
the CANDIDATES are chosen among the first PLACES matches.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from orders.models import (
    AcceptedCall,
    BillingRecord,
    Customer,
    DomainText,
    InboundMessage,
    Order,
    OrderDomain,
    OrderText,
    TextProgress,
)
from orders.models.inbound import ACCEPTED
from orders.rules.host_names import domain_key, domain_meant, unicode_form
from orders.rules.search_terms import folded, is_long_enough

CANDIDATES, PLACES = 250, 5000
WHOLE, WHOLE_IN_DOMAIN = 3, 4  # ASCII terms of up to so many characters match only as a whole
SHORTEST = 3  # shortest term that is compared with whole domain labels
KEY_BATCH_SIZE = 200  # domains per query
TARGET_BATCH_SIZE = 500  # keys per query for the visibility to a limited reader
LARGE_COLUMNS = ["content", "given"]


@dataclass(frozen=True)
class Found:
    """The first matches, the best match first. `more`: there may be further matches."""

    rows: list[Any]
    more: bool = False


NOTHING = Found([])


Visible = Callable[[list], set] | None
"""Returns the keys that a limited reader may see; None for a reader without limits."""


def _most(visible: Visible) -> int:
    return CANDIDATES if visible is None else PLACES


def _first(rows: QuerySet, name: str, term: str, most: int) -> list:
    """Returns the primary keys of rows with the (folded) term in this column. If there are more than `most`, returns
    only the first rows.

    In that case rows whose text ends with the term come first.
    """
    rows = rows.order_by().values_list("pk", flat=True)
    found = list(rows.filter(**{f"{name}__contains": term})[: most + 1])
    return found if len(found) <= most else [*rows.filter(**{f"{name}__endswith": term})[:most], *found]


def _best(found: Iterable, visible: Visible) -> tuple[list, bool]:
    """Returns the first CANDIDATES that the reader may see, and True if there may be more."""
    keys, most = list(dict.fromkeys(found)), _most(visible)
    if visible is None:
        return keys[:most], len(keys) > most
    own: list = []
    for start in range(0, min(len(keys), most), TARGET_BATCH_SIZE):
        part = keys[start : start + TARGET_BATCH_SIZE]
        allowed = visible(part)
        own += [one for one in part if one in allowed]
        if len(own) > CANDIDATES:
            return own[:CANDIDATES], True
    return own, len(keys) > most


def _among(scope: QuerySet[Order] | None) -> Visible:
    return None if scope is None else lambda ids: set(scope.filter(pk__in=ids).order_by().values_list("pk", flat=True))


def cut(rows: Iterable[Any], most: int, more: bool = False) -> Found:
    rows = list(rows)
    return Found(rows[:most], more or len(rows) > most)


def find_orders(term: str, orders: QuerySet[Order], most: int, scope: QuerySet[Order] | None = None) -> Found:
    """Returns orders with the term in their number, and the orders of the trial with exactly this number."""
    term = term.strip()
    ids, more = _numbers_with(folded(term), _among(scope))
    fits = orders.filter(Q(pk__in=ids) | Q(number=term) | Q(trial_number=term))
    numbers = list(fits.order_by().values_list("number", "pk"))
    best = sorted(numbers, key=lambda row: (_rank(row[0], term), -row[1]))[: most + 1]
    rows = orders.defer(*LARGE_COLUMNS).in_bulk([pk for _number, pk in best])
    return cut((rows[pk] for _number, pk in best if pk in rows), most, more)


def _numbers_with(term: str, visible: Visible) -> tuple[list[int], bool]:
    """Returns the ids of orders with the (folded) term in their number, and True if there may be more."""
    if not term.isascii() or not is_long_enough(term, WHOLE):
        return [], False
    return _best(_first(OrderText.objects.all(), "number", term, _most(visible)), visible)


def _rank(text: str, term: str) -> int:
    """Ranks a match: the whole text, its end, its beginning, any other part."""
    text, term = folded(text), folded(term)
    if text == term:
        return 0
    return 1 if text.endswith(term) else 2 if text.startswith(term) else 3


def find_customers(term: str, customers: QuerySet[Customer], most: int, scope: QuerySet[Order] | None = None) -> Found:
    """Returns customers with the term in their enterprise ID or any name used in an order, annotated with
    `shown_name`.
    """
    ids, more = [], False
    if is_long_enough(folded(term), WHOLE):
        own = customers.filter(which_fit(term, scope)).order_by().values_list("pk", flat=True)
        visible = None if scope is None else lambda part: set(own.filter(pk__in=part))
        ids, more = _best(_first(Customer.objects.all(), "texts", folded(term), _most(visible)), visible)
    fits = customers.filter(pk__in={*ids, term.strip()})
    named = fits.values_list("pk", "shown_name", "last_order_id")
    best = sorted(named, key=lambda row: (min(_rank(row[0], term), _rank(row[1], term)), -row[2]))[: most + 1]
    rows = customers.in_bulk([row[0] for row in best])
    return cut((rows[row[0]] for row in best if row[0] in rows), most, more)


def find_domains(term: str, domains: QuerySet[OrderDomain], most: int, scope: QuerySet[Order] | None = None) -> Found:
    """Returns the orders' domains that contain the term, with `order` and `record`, the type of the billing record
    in force.

    For each domain, billed rows come first, then trials, then the newest order. If there is no room for all rows, each
    domain is shown once before any domain is shown again. Both forms (Unicode, Punycode) are searched. A short term
    matches domains that begin with the term, or that have the term as a whole label.
    """
    term = domain_meant(term)
    short, more = folded(term), False
    if is_short := SHORTEST <= len(short) <= WHOLE_IN_DOMAIN and short.isascii():
        begins, more = _keys_that_begin(short, domains)
        part = f".{short}."[: WHOLE_IN_DOMAIN + 1]
    found_keys, others = _keys_with(part if is_short else short, domains, scope)
    keys = {*found_keys, domain_key(term)}

    def best(key: str) -> tuple:
        return min(_rank(key, term), _rank(unicode_form(key), term)), len(key), key

    ranked = sorted(keys.union(begins if is_short else ()), key=best)
    found: list[list[OrderDomain]] = []
    for start in range(0, len(ranked), KEY_BATCH_SIZE):
        rows, left_out = _rows_of(ranked[start : start + KEY_BATCH_SIZE], domains, scope)
        found += rows
        more = more or left_out
        if len(found) > most:
            break
    lines = [(place, which, row) for which, rows in enumerate(found) for place, row in enumerate(rows)]
    lines.sort(key=lambda line: line[:2])
    shown = sorted(lines[:most], key=lambda line: (line[1], line[0]))
    return Found([row for _place, _which, row in shown], more or others or len(lines) > most)


def _keys_with(term: str, domains: QuerySet[OrderDomain], scope: QuerySet[Order] | None) -> tuple[list[str], bool]:
    """Returns the domains with the (folded) term in one of their forms, and True if there may be more."""
    if not is_long_enough(term, WHOLE_IN_DOMAIN):
        return [], False
    own = domains.order_by().values_list("key", flat=True)
    visible = None if scope is None else lambda keys: set(own.filter(key__in=keys))
    texts = DomainText.objects.all() if term.isascii() else DomainText.objects.filter(text__contains="xn--")
    found = _first(texts, "text", term, _most(visible))
    return _best((text.partition("\n")[0] for text in found), visible)


def _keys_that_begin(term: str, domains: QuerySet[OrderDomain]) -> tuple[list[str], bool]:
    """Returns domains that begin with the term, among the first PLACES rows, and True if there may be more."""
    rows = OrderDomain.objects.filter(_begins("key", term)).order_by().values("pk")  # PostgreSQL would sort all rows
    keys = domains.filter(pk__in=rows[:PLACES]).order_by("key").values_list("key", flat=True).distinct()
    found = list(keys[: CANDIDATES + 1])
    return found[:CANDIDATES], len(found) > CANDIDATES or rows[PLACES : PLACES + 1].exists()


def _begins(name: str, term: str) -> Q:
    """Builds the prefix condition. SQLite's LIKE does not use the index."""
    in_index = {f"{name}__gte": term, f"{name}__lt": f"{term}\U0010ffff"}
    return Q(**in_index if connection.vendor == "sqlite" else {f"{name}__startswith": term})


def _rows_of(
    keys: list[str], domains: QuerySet[OrderDomain], scope: QuerySet[Order] | None
) -> tuple[list[list[OrderDomain]], bool]:
    """Returns the rows of each of these domains, the best first, and True if there are more."""
    now = timezone.now()
    records = BillingRecord.objects.in_force(now).filter(domain_key__in=keys)
    if scope is not None:
        records = records.filter(order__in=scope.order_by().values("pk"))
    in_force = records.order_by("-info_type", "-order").values_list("order", "domain_key", "info_type")[:CANDIDATES]
    types = {(order, key): info_type for order, key, info_type in reversed(list(in_force))}  # a commercial one counts
    rows = domains.order_by("-order_id").select_related("order").defer(*(f"order__{name}" for name in LARGE_COLUMNS))
    found = list(rows.filter(key__in=keys)[: CANDIDATES + 1])
    if left_out := len(found) > CANDIDATES:
        missing = domains.filter(key__in=set(keys).difference(row.key for row in found)).order_by()
        newest = missing.values("key").annotate(newest=Max("pk")).values("newest")
        billed = Q(key__in=keys, order__in={order for order, _key in types})
        found += rows.filter(billed | Q(pk__in=newest))
    by_key: dict[str, dict[int, OrderDomain]] = {key: {} for key in keys}
    for row in found:
        row.record = types.get((row.order_id, row.key))
        by_key[row.key][row.order_id] = row
    best = (sorted(own.values(), key=lambda row: (-int(row.record or 0), -row.order_id)) for own in by_key.values())
    return [own for own in best if own], left_out


def find_by_beginning(
    column: str, term: str, orders: QuerySet[Order], most: int, scope: QuerySet[Order] | None
) -> Found:
    """Returns orders whose text in this column of `OrderText` begins with the term."""
    term = folded(term)
    if not is_long_enough(term, WHOLE):
        return NOTHING
    visible = _among(scope)
    rows = OrderText.objects.filter(_begins(column, term)).values_list("pk", flat=True)
    ids, more = _best(rows[: _most(visible) + 1], visible)
    return cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE_COLUMNS)[: most + 1], most, more)


def find_by_phone(term: str, orders: QuerySet[Order], most: int, scope: QuerySet[Order] | None = None) -> Found:
    visible = _among(scope)
    rows = OrderText.objects.filter(phone=folded(term)).order_by("-pk").values_list("pk", flat=True)
    ids, _more = _best(rows[: _most(visible)], visible)
    return cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE_COLUMNS)[: most + 1], most)


def find_orders_with_all(words: list[str], orders: QuerySet[Order], most: int, scope: QuerySet[Order] | None) -> Found:
    """Returns orders with each word in their number, product id, BPM process, customer or a domain, the newest first.

    Only one word is looked up: the longest word with few matches. The other words are compared with the orders that it
    finds.
    """
    ids: set[int] = set()
    more = False
    for word in sorted(words, key=len, reverse=True):
        if is_long_enough(folded(word), WHOLE_IN_DOMAIN):
            found, more = _orders_of_word(word, orders, scope)
            ids = ids | found if more else found
            if not more:
                break
    for word in words:
        ids = _with_word(word, ids)
    rows = orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE_COLUMNS)
    return cut(rows[: most + 1], most, more)


def _orders_of_word(word: str, orders: QuerySet[Order], scope: QuerySet[Order] | None) -> tuple[set[int], bool]:
    """Returns the ids of orders with this word, and True if there may be more."""
    visible, own = _among(scope), orders.order_by().values_list("pk", flat=True)
    texts = OrderText.objects.filter(_begins("product", folded(word)) | _begins("process", folded(word)))
    ids, more = _best(texts.values_list("pk", flat=True)[: _most(visible) + 1], visible)
    numbers, more_numbers = _numbers_with(folded(word), visible)
    rows = OrderDomain.objects.all()
    rows = rows if scope is None else rows.filter(order__in=scope.order_by().values("pk"))
    domains = find_domains(word, rows, CANDIDATES, scope)
    numbered = own.filter(Q(number=word) | Q(trial_number=word))[:CANDIDATES]
    customers = Customer.objects.filter(which_fit(word, scope)).order_by().values("pk")
    named = list(own.filter(enterprise_id__in=customers).order_by("-pk")[: CANDIDATES + 1])
    found = {*ids, *numbers, *numbered, *(row.order_id for row in domains.rows), *named[:CANDIDATES]}
    return found, more or more_numbers or domains.more or len(named) > CANDIDATES


def _with_word(word: str, ids: set[int]) -> set[int]:
    """Returns the given orders that have this word."""
    names = ("number", "product_id", "bpm_process", "enterprise_id", "enterprise_name")
    fits = reduce(or_, (Q(**{f"{name}__icontains": word}) for name in names), Q(trial_number=word))
    own = Order.objects.filter(fits, pk__in=ids).order_by().values_list("pk", flat=True)
    key = domain_key(domain_meant(word))
    return {
        *own,
        *OrderDomain.objects.filter(order__in=ids, key__contains=key).order_by().values_list("order_id", flat=True),
    }


def find_customers_with_all(
    words: list[str], customers: QuerySet[Customer], most: int, scope: QuerySet[Order] | None
) -> Found:
    rows = customers.filter(*(which_fit(word, scope) for word in words)).order_by("-last_order_id")
    return cut(rows[: most + 1], most)


def find_by_call(term: str, orders: QuerySet[Order], most: int) -> Found:
    ids = AcceptedCall.objects.filter(trans_ido=term.strip()).values_list("order_id", flat=True)
    return cut(orders.filter(pk__in=list(ids)).defer(*LARGE_COLUMNS), most)


def find_messages(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """Returns BBOSS's messages with this transIDO, including refused messages, the newest first."""
    rows = messages.filter(trans_ido=term.strip()).order_by("-pk").defer("body")
    return cut(rows[: most + 1], most)


def find_refused(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """Returns refused messages with this number if no such order exists. Correctly signed messages come first."""
    rows = messages.filter(order_number=term.strip()).exclude(rsp_code=ACCEPTED)
    rows = rows.exclude(Exists(Order.objects.filter(number=OuterRef("order_number"))))
    rows = rows.order_by("-signed", "-pk").defer("body")
    return cut(rows[: most + 1], most)


def which_fit(term: str, scope: QuerySet[Order] | None = None) -> Q:
    """Matches customers with the term in their enterprise ID or in any name used in an order."""
    if not is_long_enough(folded(term), WHOLE):
        return Q(pk__in=[])
    fits = Q(texts__contains=folded(term))
    if scope is None:
        return fits
    named = scope.filter(enterprise_id=OuterRef("pk"), enterprise_name__icontains=term.strip())
    return fits & (Q(pk__icontains=term.strip()) | Exists(named))


def customers_meant(term: str, scope: QuerySet[Order] | None = None) -> list[str] | QuerySet:
    """Returns the ids of matching customers for `__in`. If there are many customers, the result is a subquery.

    The term is any part of a Chinese name, or the whole id.
    """
    if term.isascii():
        orders = Order.objects.all() if scope is None else scope
        return [term.strip()] if orders.filter(enterprise_id=term.strip()).exists() else []
    fits = Customer.objects.filter(which_fit(term, scope)).order_by().values_list("pk", flat=True)
    found = list(fits[: CANDIDATES + 1])
    return found if len(found) <= CANDIDATES else fits


def is_behind() -> bool:
    """Returns True if older orders are not indexed yet."""
    return not TextProgress.objects.filter(older=0).exists() and Order.objects.exists()
