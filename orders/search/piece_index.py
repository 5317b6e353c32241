"""The search index of 1.11.0, rows of pieces (`orders.rules.search_pieces`). It goes with 1.13.0.

Pieces are read until the index of this version holds all orders. 1.11.0's own worker adds those of orders after a way
back, but none of customers that it finds there already: so these are written here.
"""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q, QuerySet

from orders.models import Order, SearchPiece
from orders.rules.search_pieces import Lookup, pieces_of, whole_piece

# a shorter ASCII term is found as a whole
EVERY = {
    SearchPiece.Kind.NUMBER: 3,
    SearchPiece.Kind.CUSTOMER: 3,
    SearchPiece.Kind.DOMAIN: 4,
}
# bulk_create takes four times as long for so many small rows.
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
    """The ids behind these places of the index, where they are more than `most` some of them."""
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
    """The ids of the orders with this whole text, the newest first."""
    whole = whole_piece(text)
    rows = SearchPiece.objects.filter(kind=kind, piece=whole.text, before=whole.before)
    return rows.order_by("-target").values_list("target", flat=True)
