"""The fingerprint of an order's page, a live page (orders/lists/live_pages.py), in one query."""

import datetime

from django.db.models import Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone

from orders.db.compiled_sql import Slot
from orders.db.unstorable_values import is_id
from orders.incidents.incident_codes import BREAKER_OPEN
from orders.lists.live_pages import is_partial
from orders.lists.page_fingerprint import Counted, Figures, Fingerprint, newest
from orders.models import AffectedOrder, Difference, Dispatch, Incident, Order, OrderEvent, Pause
from orders.order_words.history import NOT_NEWS, Told, describe

SOON = datetime.timedelta(seconds=5)
LONG_DUE = datetime.timedelta(minutes=3)  # a step due for longer waits for something else, which the page shows
AT_ONCE = [Dispatch.State.DUE, Dispatch.State.RETRYING]
ORDER_FIELDS = ["state", "held_because", "decision", "attribution", "undo_since", "trial__state"]


def _figures() -> list:
    """Returns the figures. The first two count steps in progress, the third is the newest event."""
    here = {"order": Slot("order")}
    steps = Dispatch.objects.filter(**here)
    waiting, moment = steps.filter(state__in=AT_ONCE), Dispatch._meta.get_field("next_try_at")
    long, soon = Slot("long", moment), Slot("soon", moment)
    tries = steps.order_by().values("order").annotate(total=Sum("attempts")).values("total")
    troubles, order = AffectedOrder.objects.unresolved().filter(**here), Order.objects.filter(pk=Slot("order"))
    counted = [
        *(waiting.filter(next_try_at__lte=long), troubles, Pause.objects.not_ended()),
        *(
            troubles.filter(incident__state=Incident.State.ACKNOWLEDGED),
            Incident.objects.unresolved().filter(code=BREAKER_OPEN),
        ),
        Difference.objects.filter(**here, state=Difference.State.OPEN),
    ]
    return [
        Counted(steps.filter(state=Dispatch.State.SENDING)),
        Counted(waiting.filter(next_try_at__gt=long, next_try_at__lte=soon)),
        newest(OrderEvent.objects.filter(**here).exclude(kind__in=NOT_NEWS)),
        *map(Counted, counted),
        *(newest(steps), newest(Pause.objects.all()), Subquery(tries)),
        newest(Order.objects.filter(trial=Slot("order"), state_since__isnull=False), "state_since"),
        *(Subquery(order.values(name)) for name in ORDER_FIELDS),
    ]


ORDER = Figures(_figures, busy=2)


def order_fingerprint(order_id: int, user_id: int, now: datetime.datetime) -> Fingerprint:
    """Returns the fingerprint of an order's page: the order, its steps, its incidents and differences, and the orders
    of its trial. Ignores the events in NOT_NEWS.

    `busy`: a step is being sent or will be sent at once.
    """
    return ORDER(user_id, order=order_id, long=now - LONG_DUE, soon=now + SOON)


def opened_fingerprint(request: HttpRequest, order_id: int) -> Fingerprint:
    """Returns the fingerprint now. The first request of an open page also keeps the id of the newest event as
    `moving_opened`, or 0 if there is none."""
    marks = order_fingerprint(order_id, request.user.pk, timezone.now())
    if not is_partial(request):
        request.moving_opened = str(marks.own[2] or 0)
    return marks


def changed_since(order: Order, last_event_id: str) -> Told | None:
    """Returns the newest event since the page was opened. `last_event_id`: the id of the newest event at that time."""
    if not is_id(last_event_id):
        return None
    row = order.events.filter(pk__gt=int(last_event_id)).exclude(kind__in=NOT_NEWS).order_by("-pk").first()
    return row and describe(row)
