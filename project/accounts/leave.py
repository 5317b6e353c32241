"""Leave of absence: first and last day, and a deputy.

The system reassigns nothing automatically. The deputy is notified, and sees the absent person's work on the dashboard.
What the deputy may see and do still depends on the deputy's own account.
"""

import datetime

from django.db import transaction
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone

from orders.history.actors import account_id_of, name_of
from orders.history.order_locks_and_events import add_event
from orders.history.owners import OWN, sees_it
from orders.mails.notices import notify_staff
from orders.people.ownership import OWNED_KINDS, owned_rows
from orders.texts.errors import NotAllowedError
from project.models import User


def enter_leave(
    *, user: User, first: datetime.date, last: datetime.date, deputy: User | None, by: str, now: datetime.datetime
) -> list[Model]:
    """Stores a leave from `first` to `last`, both included, and notifies the deputy. Locks the account.

    Returns the person's items that the deputy can't see or act on. They are left to the team. Raises the errors of
    `why_not_away`.
    """
    with transaction.atomic():
        row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if why := why_not_away(row, first=first, last=last, deputy=deputy, now=now):
            raise why
        User.objects.filter(pk=row.pk).update(away_from=first, away_until=last, deputy=deputy)
        days = {"first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}"}
        names = {"account": row.username, **({"deputy": deputy.username} if deputy else {})}
        add_event(None, "leave_entered", by=by, now=now, **names, **days)
        count, outside = 0, list[Model]()
        for kind in OWNED_KINDS.values():
            for thing in owned_rows(kind, row):
                count += 1
                if deputy is None or not (deputy.has_perm(OWN) and sees_it(thing, deputy)):
                    outside.append(thing)
        if deputy is not None and deputy.pk != account_id_of(by):
            facts = {"name": name_of(row.username, row.pk), **days, "count": count, "outside": len(outside)}
            notify_staff([deputy], "notice_deputy", facts=facts, path=reverse("admin:index"), now=now)
    return outside


def why_not_away(
    user: User, *, first: datetime.date, last: datetime.date, deputy: User | None, now: datetime.datetime
) -> NotAllowedError | None:
    """Returns the error if the leave is invalid. Otherwise returns None.

    A leave is invalid if its days are over or in the wrong order. It is also invalid if the deputy is the person, is on
    leave too, can't log in, or may not act on orders.
    """
    if last < first:
        return NotAllowedError("leave_backwards")
    if last < timezone.localdate(now):
        return NotAllowedError("leave_over")
    if deputy is None:
        return None
    if deputy.pk == user.pk:
        return NotAllowedError("leave_own_deputy")
    name = name_of(deputy.username, deputy.pk)
    if not (deputy.is_active and deputy.is_staff):
        return NotAllowedError("leave_deputy_disabled", name=name)
    if not deputy.has_perm(OWN):
        return NotAllowedError("leave_deputy_without_right", name=name)
    away = deputy.away_until
    if away and first <= away and (deputy.away_from or first) <= last:
        return NotAllowedError("leave_deputy_away", name=name, last=f"{away:%Y-%m-%d}")
    return None


@transaction.atomic
def end_leave(*, user: User, by: str, now: datetime.datetime) -> None:
    """Ends or cancels the leave, and records an event. If there was no leave, does nothing."""
    away = User.objects.filter(pk=user.pk, away_until__isnull=False)
    if away.update(away_from=None, away_until=None, deputy=None):
        add_event(None, "leave_ended", by=by, now=now, account=user.username)
