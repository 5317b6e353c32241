"""Finds the order of a BPM process."""

import datetime

from orders.models import Attempt, Order, OrderText
from orders.rules.search_terms import folded
from orders.rules.steps import Step

NOT_INDEXED = datetime.timedelta(hours=1)  # the longest delay of the search index


def order_of_process(process: str, *, now: datetime.datetime) -> Order | None:
    """Returns the newest order with this process, from the search index or from starts that are not indexed yet."""
    begun = Attempt.objects.filter(started_at__gt=now - NOT_INDEXED, dispatch__step=Step.START_BPM)
    texts = OrderText.objects.filter(process=folded(process))
    for ids in (texts.values("order_id"), begun.values("dispatch__order_id")):
        if order := Order.objects.filter(pk__in=ids, bpm_process=process).order_by("-pk").first():
            return order
    return None
