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

from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.content import domain_key, unicode_form
from orders.models import AcceptedCall, Customer, InboundMessage, Order, OrderDomain, SearchPiece, SearchProgress
from orders.models.inbound import ACCEPTED
from orders.pieces import Lookup, beginning, folded, is_long_enough, lookups_of, whole_piece
from orders.services.office.search_index import EVERY

Kind = SearchPiece.Kind
CANDIDATES, PLACES = 250, 5000
KEYS = 200  # domains that are asked for at once
TARGETS = 500  # of which is asked at once whether a limited reader may see them
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
    for start in range(0, len(targets), TARGETS):
        part = targets[start : start + TARGETS]
        allowed = visible(part)
        own += [one for one in part if one in allowed]
        if len(own) > CANDIDATES:
            return own[:CANDIDATES], True
    return own, more


def _parts(kind: Kind, term: str, visible: Visible = None) -> tuple[list[int], bool]:
    """The targets of texts that the term is a part of."""
    every = EVERY[kind]
    return _targets(kind, lookups_of(term, every), visible) if is_long_enough(term, every) else ([], False)


def _among(seen: QuerySet[Order] | None) -> Visible:
    """Of targets that are orders."""
    return None if seen is None else lambda ids: set(seen.filter(pk__in=ids).order_by().values_list("pk", flat=True))


def _cut(rows: Iterable[Any], most: int, more: bool) -> Found:
    rows = list(rows)
    return Found(rows[:most], more or len(rows) > most)


def find_orders(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Orders with the term in their number, and those of a trial with exactly this number."""
    term = term.strip()
    ids, more = _parts(Kind.NUMBER, folded(term), _among(seen))
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
    ids, more = _parts(Kind.CUSTOMER, folded(term), _customers_among(seen))
    fits = customers.filter(pk__in={*_customers_of(ids, term, seen), term.strip()})
    named = fits.values_list("pk", "shown_name", "last_order_id")
    best = sorted(named, key=lambda row: (min(_rank(row[0], term), _rank(row[1], term)), -row[2]))[: most + 1]
    rows = customers.in_bulk([row[0] for row in best])
    return _cut((rows[row[0]] for row in best if row[0] in rows), most, more)


def _customers_among(seen: QuerySet[Order] | None) -> Visible:
    """Of targets that are the first orders with a customer's id or name: those of customers with an order in `seen`."""
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


def find_domains(
    term: str, domains: QuerySet[OrderDomain], most: int, seen: QuerySet[Order] | None = None
) -> Found:  # fmt: skip
    """Domains with the term in them, each with the newest order that names it. Both forms of a domain are looked at."""
    ids, more = _parts(Kind.DOMAIN, folded(term), None if seen is None else _domains_among(domains))
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


def _domains_among(domains: QuerySet[OrderDomain]) -> Visible:
    """Of targets that are the first rows of a domain: those whose domain one of these rows names too."""
    own = Exists(domains.filter(key=OuterRef("key")))
    return lambda ids: set(OrderDomain.objects.filter(own, pk__in=ids).order_by().values_list("pk", flat=True))


def _best_rank(key: str, term: str) -> int:
    return min(_rank(key, term), _rank(unicode_form(key), term))


def find_by_product(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Orders whose productId begins with the term."""
    return _by_beginning(Kind.PRODUCT, term, orders, most, seen)


def find_by_process(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Orders whose process at BPM begins with the term."""
    return _by_beginning(Kind.PROCESS, term, orders, most, seen)


def _by_beginning(
    kind: Kind, term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None
) -> Found:  # fmt: skip
    if not is_long_enough(folded(term), EVERY[Kind.NUMBER]):
        return NOTHING
    ids, more = _targets(kind, [beginning(folded(term))], _among(seen))
    return _cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE)[: most + 1], most, more)


def find_by_phone(term: str, orders: QuerySet[Order], most: int, seen: QuerySet[Order] | None = None) -> Found:
    """Orders whose operator has exactly this phone number."""
    whole = whole_piece(term)
    rows = SearchPiece.objects.filter(kind=Kind.PHONE, piece=whole.text, before=whole.before).order_by("-target")
    targets, visible = rows.values_list("target", flat=True), _among(seen)
    ids = list(targets[:CANDIDATES]) if visible is None else _seen(list(targets[:PLACES]), visible, False)[0]
    return _cut(orders.filter(pk__in=ids).order_by("-pk").defer(*LARGE)[: most + 1], most, False)


def find_by_call(term: str, orders: QuerySet[Order], most: int) -> Found:
    """The order of an accepted call with this transIDO."""
    ids = AcceptedCall.objects.filter(trans_ido=term.strip()).values_list("order_id", flat=True)
    return _cut(orders.filter(pk__in=list(ids)).defer(*LARGE), most, False)


def find_messages(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """BBOSS's messages with this transIDO, refused ones too, the newest first."""
    rows = messages.filter(trans_ido=term.strip()).order_by("-pk").defer("body")
    return _cut(rows[: most + 1], most, False)


def find_refused(term: str, messages: QuerySet[InboundMessage], most: int) -> Found:
    """Refused messages that name exactly this order number, of which we have no order; the rightly signed ones first.

    An order's own messages stand on its page.
    """
    rows = messages.filter(order_number=term.strip()).exclude(rsp_code=ACCEPTED)
    rows = rows.exclude(Exists(Order.objects.filter(number=OuterRef("order_number"))))
    rows = rows.order_by("-signed", "-pk").defer("body")
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
        orders = Order.objects.all() if seen is None else seen
        return [term.strip()] if orders.filter(enterprise_id=term.strip()).exists() else []
    return customers_with(term, seen)


def is_behind() -> bool:
    """Whether orders from before there was an index are still to be indexed."""
    older = SearchProgress.objects.values_list("older", flat=True).first()
    return Order.objects.exists() if older is None else older > 0
