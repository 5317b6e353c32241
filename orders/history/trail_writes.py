"""Write rows of the trail and remove expired ones. The facts in these rows are stored nowhere else."""

import datetime

from django.conf import settings

from orders.history.actors import account_id_of
from orders.models import TrailEntry

ROWS_AT_ONCE = 1000


def note_act(
    code: TrailEntry.Code, *, by: str, now: datetime.datetime, about: str = "", address: str = "", **data
) -> TrailEntry:
    """Write a row in the caller's transaction. `by`: an actor, or empty if the person is not authenticated."""
    return TrailEntry.objects.create(
        at=now,
        keep_until=now + datetime.timedelta(days=settings.AUDIT_DAYS),
        actor=by[:160],
        account_id=account_id_of(by),
        code=code,
        about=about[:200],
        address=address[:200],
        data=data,
    )


def prune_trail(*, now: datetime.datetime) -> int:
    """Remove, in batches, rows that are older than AUDIT_DAYS and past their own `keep_until`. Returns the number of
    removed rows.

    Rows are removed a day later than allowed. The database's guard uses the database's clock, which may differ.
    """
    removed, now = 0, now - datetime.timedelta(days=1)
    old = TrailEntry.objects.filter(at__lt=now - datetime.timedelta(days=settings.AUDIT_DAYS), keep_until__lt=now)
    while batch := list(old.order_by("at").values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        removed += TrailEntry.objects.filter(pk__in=batch).delete()[0]
    return removed
