"""Finds orders, customers and the rest by any part of a text. Each query has an index on both databases.

At most CANDIDATES places of the index are looked at, those that end with the term first. So a term that fits half of
all orders takes no longer than another one, and `more` says that it fits more than was looked at.

Rows are taken from the querysets that callers give, which hold what the reader may see. `seen` are the orders that a
limited reader may see, None for all: nobody finds a customer by a name that only an order of others gave.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.content import domain_key, unicode_form
from orders.models import AcceptedCall, Customer, InboundMessage, Order, OrderDomain, SearchPiece, SearchProgress
from orders.pieces import Lookup, beginning, folded, is_long_enough, lookups_of, whole_piece
from orders.services.office.search_index import EVERY

Kind = SearchPiece.Kind
CANDIDATES = 250
KEYS = 200  # domains that are asked for at once
LARGE = ["content", "given"]


@dataclass(frozen=True)
class Found:
    """The first rows that fit, the best first. `more`: others may fit too."""

    rows: list[Any]
    more: bool = False


NOTHING = Found([])


def _pieces(kind: Kind, lookup: Lookup) -> Q:
    found = Q(kind=kind, piece__gte=lookup.first, piece__lt=lookup.end)
    return found & Q(before__endswith=lookup.before) if lookup.before else found


def _targets(kind: Kind, lookups: Iterable[Lookup]) -> tuple[list[int], bool]:
    """The ids behind at most CANDIDATES places, and whether there are more. A text may have several of the places."""
    found: dict[int, None] = {}
    left = CANDIDATES
    for one in lookups:
        rows = SearchPiece.objects.filter(_pieces(kind, one)).order_by("kind", "piece", "before", "target")
        targets = list(rows.values_list("target", flat=True)[: left + 1])
        found |= dict.fromkeys(targets[:left])
        left -= len(targets)
        if left < 0:
            return list(found), True
    return list(found), False


def _parts(kind: Kind, term: str) -> tuple[list[int], bool]:
    """The targets of texts that the term is a part of."""
    every = EVERY[kind]
    return _targets(kind, lookups_of(term, every)) if is_long_enough(term, every) else ([], False)


def _cut(rows: Iterable[Any], most: int, more: bool) -> Found:
    rows = list(rows)
    return Found(rows[:most], more or len(rows) > most)


def find_orders(term: str, orders: QuerySet[Order], most: int) -> Found:
    """Orders with the term in their number, and those of a trial with exactly this number."""
    term = term.strip()
    ids, more = _parts(Kind.NUMBER, folded(term))
    fits = orders.filter(Q(pk__in=ids) | Q(number=term) | Q(trial_number=term))
    numbers = list(fits.order_by().values_list("number", "pk"))
    best = sorted(numbers, key=lambda row: (_rank(row[0], term), -row[1]))[: most + 1]
    rows = orders.defer(*LARGE).in_bulk([pk for _number, pk in best])
    return _cut((rows[pk] for _number, pk in best if pk in rows), most, more)


def _rank(text: str, term: str) -> int:
    """The whole text, then its end, then its beginning, then any part of it."""
    text, term = folded(text), folded(term)
    if text == term:
        return 0
    return 1 if text.endswith(term) else 2 if text.startswith(term) else 3


def find_customers(term: str, customers: QuerySet[Customer], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Customers with the term in their enterprise id, or in a name that an order gave them.

    Each has a `shown_name`, as `orders.admin.scope.limit_customers` gives it.
    """
    ids, more = _parts(Kind.CUSTOMER, folded(term))
    fits = customers.filter(pk__in={*_customers_of(ids, term, seen), term.strip()})
    named = fits.values_list("pk", "shown_name", "last_order_id")
    best = sorted(named, key=lambda row: (min(_rank(row[0], term), _rank(row[1], term)), -row[2]))[: most + 1]
    rows = customers.in_bulk([row[0] for row in best])
    return _cut((rows[row[0]] for row in best if row[0] in rows), most, more)


def _customers_of(targets: list[int] | QuerySet, term: str, seen: QuerySet[Order] | None) -> QuerySet:
    """The enterprise ids of the orders by which the term was found."""
    rows = Order.objects.filter(pk__in=targets).exclude(enterprise_id="")
    if seen is not None:
        same = seen.filter(enterprise_id=OuterRef("enterprise_id"), enterprise_name=OuterRef("enterprise_name"))
        rows = rows.filter(Q(enterprise_id__icontains=term.strip()) | Exists(same))
    return rows.order_by().values_list("enterprise_id", flat=True)


def find_domains(term: str, domains: QuerySet[OrderDomain], most: int) -> Found:
    """Domains with the term in them, each with the newest order that names it. Both forms of a domain are looked at."""
    ids, more = _parts(Kind.DOMAIN, folded(term))
    keys = OrderDomain.objects.filter(pk__in=ids).order_by().values_list("key", flat=True)
    ranked = sorted({*keys, domain_key(term.strip())}, key=lambda key: (_best_rank(key, term), len(key), key))
    rows = domains.order_by("-order_id").select_related("order").defer(*(f"order__{name}" for name in LARGE))
    newest: dict[str, OrderDomain] = {}
    for start in range(0, len(ranked), KEYS):
        for row in rows.filter(key__in=ranked[start : start + KEYS])[:CANDIDATES]:
            newest.setdefault(row.key, row)
        if len(newest) > most:
            break
    return _cut((newest[key] for key in ranked if key in newest), most, more)


def _best_rank(key: str, term: str) -> int:
    return min(_rank(key, term), _rank(unicode_form(key), term))


def find_by_product(term: str, orders: QuerySet[Order], most: int) -> Found:
    """Orders whose productId begins with the term."""
    return _by_beginning(Kind.PRODUCT, term, orders, most)


def find_by_process(term: str, orders: QuerySet[Order], most: int) -> Found:
    """Orders whose process at BPM begins with the term."""
    return _by_beginning(Kind.PROCESS, term, orders, most)


def _by_beginning(kind: Kind, term: str, orders: QuerySet[Order], most: int) -> Found:
    if not is_long_enough(folded(term), EVERY[Kind.NUMBER]):
        return NOTHING
    ids, more = _targets(kind, [beginning(folded(term))])
    return _cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE)[: most + 1], most, more)


def find_by_phone(term: str, orders: QuerySet[Order], most: int) -> Found:
    """Orders whose operator has exactly this phone number."""
    whole = whole_piece(term)
    rows = SearchPiece.objects.filter(kind=Kind.PHONE, piece=whole.text, before=whole.before).order_by("-target")
    ids = list(rows.values_list("target", flat=True)[:CANDIDATES])
    return _cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE)[: most + 1], most, False)


def find_by_call(term: str, orders: QuerySet[Order], most: int) -> Found:
    """The order of an accepted call with this transIDO."""
    ids = AcceptedCall.objects.filter(trans_ido=term.strip()).values_list("order_id", flat=True)
    return _cut(orders.filter(pk__in=list(ids)).defer(*LARGE), most, False)


def find_messages(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """BBOSS's messages with this transIDO, refused ones too, the newest first."""
    rows = messages.filter(trans_ido=term.strip()).order_by("-pk").defer("body")
    return _cut(rows[: most + 1], most, False)


def customers_with(term: str, seen: QuerySet[Order] | None = None) -> list[str] | QuerySet:
    """The ids of all customers with the term in their enterprise id or name, for `__in`: many are a subquery."""
    term = folded(term)
    every = EVERY[Kind.CUSTOMER]
    if not is_long_enough(term, every):
        return []
    ids, more = _parts(Kind.CUSTOMER, term)
    if not more:
        return list(_customers_of(ids, term, seen))
    pieces = SearchPiece.objects.filter(reduce(or_, (_pieces(Kind.CUSTOMER, one) for one in lookups_of(term, every))))
    return _customers_of(pieces.values("target"), term, seen)


def customers_meant(term: str, seen: QuerySet[Order] | None = None) -> list[str] | QuerySet:
    """The same for lists of orders and what belongs to them: any part of a Chinese name, or the whole id."""
    if term.isascii():
        return [term.strip()] if Order.objects.filter(enterprise_id=term.strip()).exists() else []
    return customers_with(term, seen)


def is_behind() -> bool:
    """Whether orders from before there was an index are still to be indexed."""
    older = SearchProgress.objects.values_list("older", flat=True).first()
    return Order.objects.exists() if older is None else older > 0
