"""A database that was put back to an earlier copy of itself: until somebody says `restored`, nothing is sent from it
(contract 5; 3.9, 17)."""

import datetime

from django.db import transaction
from django.db.models import Max

from orders.errors import NotAllowedError, check_reason
from orders.models import Attempt, Dispatch, Order, OrderEvent, Timeline
from orders.models.dispatch import OPEN_STATES
from orders.services.events import add_event
from orders.services.wakeup import wake
from orders.steps import FIXES


def present_timeline() -> Timeline | None:
    """The stretch of history that the database is in; None where it was emptied."""
    return Timeline.objects.order_by("-pk").first()


def open_restore() -> Timeline | None:
    """The present stretch where it counts as restored, else None."""
    row = present_timeline()
    return row if row and row.restored_at else None


def release_restored(*, reason: str, by: str, now: datetime.datetime) -> Timeline:
    """The word that a restored desk may send again. From here on the database has another name, so that what machines
    have seen of the lost stretch does not count against it.

    Raises NotAllowedError where it does not count as restored, or without a reason.
    """
    check_reason(reason, "to send again after a restore")
    with transaction.atomic():
        row = Timeline.objects.select_for_update().order_by("-pk").first()
        if row is None or row.restored_at is None:
            raise NotAllowedError("not_restored")
        new = Timeline(begun_at=now, begun_by=by[:160], reason=reason.strip())
        new.last_order, new.last_attempt, new.last_event = _newest(Order), _newest(Attempt), row.restored["event"]
        new.save()
        _close_fixes()
        told = {"reason": reason.strip(), "restored_at": row.restored_at.isoformat(), **row.restored}
        add_event(None, "restore_released", by=by, now=now, **told)
        wake(settle=True)
    return new


def _close_fixes() -> None:
    """What `reconcile --fix` had planned was right by the books of its time; the next comparison looks again."""
    rows = Dispatch.objects.filter(step__in=FIXES, state__in=OPEN_STATES, superseded=False)
    rows.update(state=Dispatch.State.CLOSED, next_try_at=None, lease_token=None)


def _newest(model: type) -> int:
    return model.objects.aggregate(newest=Max("pk"))["newest"] or 0


def numbers_compared_since(row: Timeline) -> OrderEvent | None:
    """The last comparison with BBOSS's numbers since everybody could know that the database was restored."""
    rows = OrderEvent.objects.filter(order=None, kind="reconciled", pk__gt=row.restored["event"])
    return rows.filter(data__has_key="listed").order_by("-pk").first()


def settled_since(order: Order, row: Timeline) -> bool:
    """Whether staff have taken the partner's books for the order, or it was withdrawn, since everybody could know."""
    acts = OrderEvent.objects.filter(order=order, kind__in=["taken", "withdrawn"], pk__gt=row.last_event)
    return acts.exists()


def is_from_before_restore(order: Order) -> bool:
    """Whether the order was accepted before the database was restored, and nothing has settled it since: the partner's
    books are the newer ones (contract 3.9, 15)."""
    row = present_timeline()
    if row is None:
        return False
    if row.restored_at:
        return True
    return order.pk <= row.last_order and not settled_since(order, row)
