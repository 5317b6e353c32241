"""Restores: a database restored from an earlier copy sends nothing until `restored` (contract 5; 3.9, 17)."""

import datetime
from collections.abc import Callable

from django.db import transaction
from django.db.models import Max

from orders.history.order_locks_and_events import add_event
from orders.incidents.incidents import end_settled
from orders.models import Attempt, Dispatch, Order, OrderEvent, Timeline
from orders.outbox.enqueue import wake
from orders.rules.steps import FIXES
from orders.texts.errors import NotAllowedError, check_reason


def present_timeline() -> Timeline | None:
    """Returns the database's current timeline. None if the database was emptied."""
    return Timeline.objects.order_by("-pk").first()


def open_restore() -> Timeline | None:
    """Returns the current timeline if the database counts as restored, otherwise None."""
    row = present_timeline()
    return row if row and row.restored_at else None


def release_restored(*, reason: str, by: str, now: datetime.datetime, stop_runs: Callable) -> Timeline:
    """Lets a restored system send again, under a new name that invalidates old marks. Raises NotAllowedError.

    `stop_runs` stops the bulk runs in the same transaction, since their progress after the backup is lost.
    """
    check_reason(reason, "to send again after a restore")
    with transaction.atomic():
        row = Timeline.objects.select_for_update().order_by("-pk").first()
        if row is None or row.restored_at is None:
            raise NotAllowedError("not_restored")
        new = Timeline(begun_at=now, begun_by=by[:160], reason=reason.strip())
        new.last_order, new.last_attempt, new.last_event = _newest(Order), _newest(Attempt), row.restored["event"]
        new.save()
        fixes = Dispatch.objects.current().open().filter(step__in=FIXES)  # planned for an earlier state of the records
        of_fixes = list(Order.objects.filter(dispatches__in=fixes).distinct().defer("content"))
        fixes.update(state=Dispatch.State.CLOSED, next_try_at=None, lease_token=None)
        end_settled(of_fixes, now=now, by=by)
        stop_runs(by=by, now=now)
        about = {"reason": reason.strip(), "restored_at": row.restored_at.isoformat(), **row.restored}
        add_event(None, "restore_released", by=by, now=now, **about)
        wake(settle=True)
    return new


def _newest(model: type) -> int:
    return model.objects.aggregate(newest=Max("pk"))["newest"] or 0


def numbers_compared_since(row: Timeline) -> OrderEvent | None:
    """Returns the last comparison with BBOSS's numbers since the restore was recorded."""
    rows = OrderEvent.objects.filter(order=None, kind="reconciled", pk__gt=row.restored["event"])
    return rows.filter(data__has_key="listed").order_by("-pk").first()


def settled_since(order: Order, row: Timeline) -> bool:
    """Returns True if the order was withdrawn, or staff accepted the partner's records for it, since the restore was
    recorded.
    """
    acts = OrderEvent.objects.filter(order=order, kind__in=["taken", "withdrawn"], pk__gt=row.last_event)
    return acts.exists()


def is_from_before_restore(order: Order) -> bool:
    """Returns True if the order is older than the restore and not settled since.

    Then the partner's records are newer than ours (3.9, 15).
    """
    row = present_timeline()
    if row is None:
        return False
    if row.restored_at:
        return True
    return order.pk <= row.last_order and not settled_since(order, row)
