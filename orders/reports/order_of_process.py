"""The order of a process of BPM."""

import datetime

from orders.models import Attempt, Order, OrderText, SearchPiece
from orders.rules.search_pieces import folded, whole_piece
from orders.rules.steps import Step

NOT_INDEXED = datetime.timedelta(hours=1)  # within which the search's index has not seen a process yet


def order_of_process(process: str, *, now: datetime.datetime) -> Order | None:
    """Returns the newest order with this process, by the search's index and by the starts that it may not know yet."""
    piece = whole_piece(process)
    found = SearchPiece.objects.filter(kind=SearchPiece.Kind.PROCESS, piece=piece.text, before=piece.before)
    begun = Attempt.objects.filter(started_at__gt=now - NOT_INDEXED, dispatch__step=Step.START_BPM)
    texts = OrderText.objects.filter(process=folded(process))  # last, since the schema of 1.11.0 does not have them
    for ids in (found.values("target"), begun.values("dispatch__order_id"), texts.values("order_id")):
        if order := Order.objects.filter(pk__in=ids, bpm_process=process).order_by("-pk").first():
            return order
    return None
