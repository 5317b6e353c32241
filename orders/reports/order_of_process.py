"""Finds the order of a BPM process."""

import datetime

from orders.models import Attempt, Order, OrderText, SearchPiece
from orders.rules.search_pieces import folded, whole_piece
from orders.rules.steps import Step

NOT_INDEXED = datetime.timedelta(hours=1)  # the longest delay of the search index


def order_of_process(process: str, *, now: datetime.datetime) -> Order | None:
    """Returns the newest order with this process, from the search index or from starts that are not indexed yet."""
    piece = whole_piece(process)
    found = SearchPiece.objects.filter(kind=SearchPiece.Kind.PROCESS, piece=piece.text, before=piece.before)
    begun = Attempt.objects.filter(started_at__gt=now - NOT_INDEXED, dispatch__step=Step.START_BPM)
    texts = OrderText.objects.filter(process=folded(process))  # last, since the schema of 1.11.0 does not have them
    for ids in (found.values("target"), begun.values("dispatch__order_id"), texts.values("order_id")):
        if order := Order.objects.filter(pk__in=ids, bpm_process=process).order_by("-pk").first():
            return order
    return None
