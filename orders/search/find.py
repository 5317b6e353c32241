"""Finds orders, customers and the rest by any part of a text. Each query has an index on both databases.

At most CANDIDATES places of the index are looked at, those that end with the term first. So a term that fits half of
all orders takes no longer than another one, and `more` says that it fits more than was looked at.

Rows are taken from the querysets that callers give, which hold what the reader may see. `seen` are the orders that a
limited reader may see, None for all: nobody finds a customer by a name that only an order of others gave. Of a limited
reader's CANDIDATES each is one that they may see, among the first PLACES.
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
    InboundMessage,
    Order,
    OrderDomain,
    SearchPiece,
    SearchProgress,
)
from orders.models.inbound import ACCEPTED
from orders.rules.content import domain_key, domain_meant, unicode_form
from orders.rules.pieces import Lookup, beginning, folded, is_long_enough, lookups_of, whole_piece
from orders.search.index import EVERY

Kind = SearchPiece.Kind
CANDIDATES, PLACES = 250, 5000
COMMON = 2000
"""Places of a term from which on reading the customers themselves is quicker than joining them with the index."""
SHORTEST = 3  # letters of a term that is looked up among whole parts of domains
KEY_BATCH_SIZE = 200  # domains that are asked for at once
TARGET_BATCH_SIZE = 500  # of which is asked at once whether a limited reader may see them
LARGE_COLUMNS = ["content", "given"]


@dataclass(frozen=True)
class Found:
    """The first rows that fit, the best first. `more`: others may fit too."""

    rows: list[Any]
    more: bool = False


NOTHING = Found([])


def _pieces(kind: Kind, lookup: Lookup) -> Q:
    found = Q(kind=kind, piece__gte=lookup.first, piece__lt=lookup.end)
    return found & Q(before__endswith=lookup.before) if lookup.before else found


Visible = Callable[[list[int]], set[int]] | None
"""Which of these targets a limited reader may see; None for a reader who sees all."""


def _targets(kind: Kind, lookups: Iterable[Lookup], visible: Visible = None) -> tuple[list[int], bool]:
    """The ids behind at most CANDIDATES places, and whether there are more. A text may have several of the places."""
    found: dict[int, None] = {}
    left = CANDIDATES if visible is None else PLACES
    for one in lookups:
        rows = SearchPiece.objects.filter(_pieces(kind, one)).order_by("kind", "piece", "before", "target")
        targets = list(rows.values_list("target", flat=True)[: left + 1])
        found |= dict.fromkeys(targets[:left])
        left -= len(targets)
        if left < 0:
            break
    return (list(found), left < 0) if visible is None else _seen(list(found), visible, left < 0)


def _seen(targets: list[int], visible: Callable[[list[int]], set[int]], more: bool) -> tuple[list[int], bool]:
    """The first CANDIDATES of these targets that a limited reader may see, and whether there may be more."""
    own: list[int] = []
    for start in range(0, len(targets), TARGET_BATCH_SIZE):
        part = targets[start : start + TARGET_BATCH_SIZE]
        allowed = visible(part)
        own += [one for one in part if one in allowed]
        if len(own) > CANDIDATES:
            return own[:CANDIDATES], True
    return own, more


def _parts(kind: Kind, term: str, visible: Visible = None) -> tuple[list[int], bool]:
    every = EVERY[kind]
    return _targets(kind, lookups_of(term, every), visible) if is_long_enough(term, every) else ([], False)


def _among(seen: QuerySet[Order] | None) -> Visible:
    return None if seen is None else lambda ids: set(seen.filter(pk__in=ids).order_by().values_list("pk", flat=True))


def cut(rows: Iterable[Any], most: int, more: bool = False) -> Found:
    rows = list(rows)
    return Found(rows[:most], more or len(rows) > most)


def find_orders(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Orders with the term in their number, and those of a trial with exactly this number."""
    term = term.strip()
    ids, more = _parts(Kind.NUMBER, folded(term), _among(seen))
    fits = orders.filter(Q(pk__in=ids) | Q(number=term) | Q(trial_number=term))
    numbers = list(fits.order_by().values_list("number", "pk"))
    best = sorted(numbers, key=lambda row: (_rank(row[0], term), -row[1]))[: most + 1]
    rows = orders.defer(*LARGE_COLUMNS).in_bulk([pk for _number, pk in best])
    return cut((rows[pk] for _number, pk in best if pk in rows), most, more)


def _rank(text: str, term: str) -> int:
    """The whole text, then its end, then its beginning, then any part of it."""
    text, term = folded(text), folded(term)
    if text == term:
        return 0
    return 1 if text.endswith(term) else 2 if text.startswith(term) else 3


def find_customers(term: str, customers: QuerySet[Customer], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Customers with the term in their enterprise id, or in a name that an order gave them, with `shown_name`."""
    ids, more = _parts(Kind.CUSTOMER, folded(term), _customers_among(seen))
    fits = customers.filter(pk__in={*_customers_of(ids, term, seen), term.strip()})
    named = fits.values_list("pk", "shown_name", "last_order_id")
    best = sorted(named, key=lambda row: (min(_rank(row[0], term), _rank(row[1], term)), -row[2]))[: most + 1]
    rows = customers.in_bulk([row[0] for row in best])
    return cut((rows[row[0]] for row in best if row[0] in rows), most, more)


def _customers_among(seen: QuerySet[Order] | None) -> Visible:
    """Keeps the targets (first orders with a customer's id or name) of customers who have an order in `seen`."""
    if seen is None:
        return None
    own = Exists(seen.filter(enterprise_id=OuterRef("enterprise_id")))
    return lambda ids: set(Order.objects.filter(own, pk__in=ids).order_by().values_list("pk", flat=True))


def _customers_of(targets: list[int] | QuerySet, term: str, seen: QuerySet[Order] | None) -> QuerySet:
    """The enterprise ids of the orders by which the term was found."""
    rows = Order.objects.filter(pk__in=targets).exclude(enterprise_id="")
    if seen is not None:
        same = seen.filter(enterprise_id=OuterRef("enterprise_id"), enterprise_name=OuterRef("enterprise_name"))
        rows = rows.filter(Q(enterprise_id__icontains=term.strip()) | Exists(same))
    return rows.order_by().values_list("enterprise_id", flat=True)


def find_domains(term: str, domains: QuerySet[OrderDomain], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Every order's domains with the term in them, each with its `order` and its `record`: the type of the billing
    record in force now, or None.

    Of a domain what is billed now comes first, then what is on trial, then the newest order. Where not all fit, each
    domain comes once before one comes again. Both forms of a domain are looked at. A short term finds domains that
    begin with it, or have a whole part of this name.
    """
    term = domain_meant(term)
    short, more = folded(term), False
    if is_short := SHORTEST <= len(short) <= EVERY[Kind.DOMAIN] and short.isascii():
        begins, more = _keys_that_begin(short, domains)
        part = f".{short}."[: EVERY[Kind.DOMAIN] + 1]
    ids, others = _parts(Kind.DOMAIN, part if is_short else short, None if seen is None else _domains_among(domains))
    keys = {*OrderDomain.objects.filter(pk__in=ids).order_by().values_list("key", flat=True), domain_key(term)}

    def best(key: str) -> tuple:
        return min(_rank(key, term), _rank(unicode_form(key), term)), len(key), key

    ranked = sorted(keys.union(begins if is_short else ()), key=best)
    found: list[list[OrderDomain]] = []
    for start in range(0, len(ranked), KEY_BATCH_SIZE):
        rows, left_out = _rows_of(ranked[start : start + KEY_BATCH_SIZE], domains, seen)
        found += rows
        more = more or left_out
        if len(found) > most:
            break
    lines = [(place, which, row) for which, rows in enumerate(found) for place, row in enumerate(rows)]
    lines.sort(key=lambda line: line[:2])
    shown = sorted(lines[:most], key=lambda line: (line[1], line[0]))
    return Found([row for _place, _which, row in shown], more or others or len(lines) > most)


def _keys_that_begin(term: str, domains: QuerySet[OrderDomain]) -> tuple[list[str], bool]:
    """The domains that begin with the term, of the first PLACES rows that do, and whether there may be more."""
    in_index = {"key__gte": term, "key__lt": f"{term}\U0010ffff"}  # SQLite's LIKE reads no index
    begins = in_index if connection.vendor == "sqlite" else {"key__startswith": term}
    rows = OrderDomain.objects.filter(**begins).order_by().values("pk")  # PostgreSQL would sort them all
    keys = domains.filter(pk__in=rows[:PLACES]).order_by("key").values_list("key", flat=True).distinct()
    found = list(keys[: CANDIDATES + 1])
    return found[:CANDIDATES], len(found) > CANDIDATES or rows[PLACES : PLACES + 1].exists()


def _rows_of(
    keys: list[str], domains: QuerySet[OrderDomain], seen: QuerySet[Order] | None
) -> tuple[list[list[OrderDomain]], bool]:
    """The rows of each of these domains, the best first, and whether there are more."""
    now = timezone.now()
    records = BillingRecord.objects.in_force(now).filter(domain_key__in=keys)
    if seen is not None:
        records = records.filter(order__in=seen.order_by().values("pk"))
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


def _domains_among(domains: QuerySet[OrderDomain]) -> Visible:
    """Keeps the targets (first rows of a domain) whose domain one of these rows names too."""
    own = Exists(domains.filter(key=OuterRef("key")))
    return lambda ids: set(OrderDomain.objects.filter(own, pk__in=ids).order_by().values_list("pk", flat=True))


def find_by_beginning(kind: Kind, term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None) -> Found:
    """Orders whose product id or BPM process, as `kind` says, begins with the term."""
    if not is_long_enough(folded(term), EVERY[Kind.NUMBER]):
        return NOTHING
    ids, more = _targets(kind, [beginning(folded(term))], _among(seen))
    return cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE_COLUMNS)[: most + 1], most, more)


def find_by_phone(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    whole = whole_piece(term)
    rows = SearchPiece.objects.filter(kind=Kind.PHONE, piece=whole.text, before=whole.before).order_by("-target")
    targets, visible = rows.values_list("target", flat=True), _among(seen)
    ids = list(targets[:CANDIDATES]) if visible is None else _seen(list(targets[:PLACES]), visible, False)[0]
    return cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE_COLUMNS)[: most + 1], most)


def find_by_call(term: str, orders: QuerySet[Order], most: int) -> Found:
    ids = AcceptedCall.objects.filter(trans_ido=term.strip()).values_list("order_id", flat=True)
    return cut(orders.filter(pk__in=list(ids)).defer(*LARGE_COLUMNS), most)


def find_messages(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """BBOSS's messages with this transIDO, refused ones too, the newest first."""
    rows = messages.filter(trans_ido=term.strip()).order_by("-pk").defer("body")
    return cut(rows[: most + 1], most)


def find_refused(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """Refused messages that name this number, of which we have no order; the rightly signed ones first."""
    rows = messages.filter(order_number=term.strip()).exclude(rsp_code=ACCEPTED)
    rows = rows.exclude(Exists(Order.objects.filter(number=OuterRef("order_number"))))
    rows = rows.order_by("-signed", "-pk").defer("body")
    return cut(rows[: most + 1], most)


def customers_with(term: str, seen: QuerySet[Order] | None = None) -> list[str] | QuerySet:
    """The ids of all customers with the term in their enterprise id or name, for `__in`: many are a subquery."""
    term = folded(term)
    if not is_long_enough(term, EVERY[Kind.CUSTOMER]):
        return []
    ids, more = _parts(Kind.CUSTOMER, term)
    if not more:
        return list(_customers_of(ids, term, seen))
    return _customers_of(_customers_pieces(term).values("target"), term, seen)


def which_fit(term: str, seen: QuerySet[Order] | None = None) -> Q:
    """The same for the list of customers, which counts and sorts all that it finds.

    Where the term fits very many, the customers' texts are read in the order of the list: a page of them and as many as
    are counted are soon met, while the index would give them all first. A limited reader may not see each text.
    """
    if seen is None and _is_common(folded(term)) and not Customer.objects.filter(texts=None).exists():
        return Q(texts__contains=folded(term))
    return Q(pk__in=customers_with(term, seen))


def _is_common(term: str) -> bool:
    """Whether a (folded) term is at more than COMMON places of the customers' texts."""
    return is_long_enough(term, EVERY[Kind.CUSTOMER]) and _customers_pieces(term)[COMMON : COMMON + 1].exists()


def _customers_pieces(term: str) -> QuerySet[SearchPiece]:
    """All places of the index at which a (folded) term is in a customer's text."""
    lookups = lookups_of(term, EVERY[Kind.CUSTOMER])
    return SearchPiece.objects.filter(reduce(or_, (_pieces(Kind.CUSTOMER, one) for one in lookups))).order_by()


def customers_meant(term: str, seen: QuerySet[Order] | None = None) -> list[str] | QuerySet:
    """The same for lists of orders and what belongs to them: any part of a Chinese name, or the whole id."""
    if term.isascii():
        orders = Order.objects.all() if seen is None else seen
        return [term.strip()] if orders.filter(enterprise_id=term.strip()).exists() else []
    return customers_with(term, seen)


def is_behind() -> bool:
    """Whether orders from before there was an index are still to be indexed."""
    older = SearchProgress.objects.values_list("older", flat=True).first()
    return Order.objects.exists() if older is None else older > 0
