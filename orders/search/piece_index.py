"""The search index of 1.11.0, rows of pieces (`orders.rules.search_pieces`). To be removed in 1.13.0.

It is read until the index of this version holds all orders. After a downgrade the worker of 1.11.0 indexes the orders,
but not customers that already exist: so customers are still written here.
"""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q, QuerySet

from orders.models import Order, SearchPiece
from orders.rules.search_pieces import Lookup, pieces_of, whole_piece

# shorter ASCII terms match only as a whole
EVERY = {
    SearchPiece.Kind.NUMBER: 3,
    SearchPiece.Kind.CUSTOMER: 3,
    SearchPiece.Kind.DOMAIN: 4,
}
# bulk_create takes four times as long for many small rows.
ADD = (
    f"INSERT INTO {SearchPiece._meta.db_table} (kind, piece, before, target) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)


def add_customers(orders: Iterable[Order]) -> None:
    """Adds the pieces of these orders' customers, by id and name."""
    texts = [(text, row.pk) for row in orders for text in (row.enterprise_id, row.enterprise_name)]
    pieces = {(piece, pk) for text, pk in texts for piece in pieces_of(text, EVERY[SearchPiece.Kind.CUSTOMER])}
    rows = sorted((SearchPiece.Kind.CUSTOMER, piece.text, piece.before, pk) for piece, pk in pieces)
    with connection.cursor() as cursor:
        cursor.executemany(ADD, rows)


def targets_of(kind: SearchPiece.Kind, lookups: Iterable[Lookup], most: int) -> list[int]:
    """Returns the ids for these lookups in the index; only some of them if they are more than `most`."""
    found: dict[int, None] = {}
    for one in lookups:
        fits = Q(kind=kind, piece__gte=one.first, piece__lt=one.end)
        rows = SearchPiece.objects.filter(fits & Q(before__endswith=one.before) if one.before else fits)
        rows = rows.order_by("kind", "piece", "before", "target").values_list("target", flat=True)
        found |= dict.fromkeys(rows[: most + 1])
        if len(found) > most:
            break
    return list(found)


def orders_with(kind: SearchPiece.Kind, text: str) -> QuerySet:
    """Returns the ids of the orders with exactly this text, the newest first."""
    whole = whole_piece(text)
    rows = SearchPiece.objects.filter(kind=kind, piece=whole.text, before=whole.before)
    return rows.order_by("-target").values_list("target", flat=True)
