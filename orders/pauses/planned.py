"""Pauses that are planned ahead, once or weekly (contract 3.5 and section 5, `pause --from`)."""

import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders.history.order_locks_and_events import add_event
from orders.models import Pause, PlannedPause
from orders.pauses.pause_and_resume import pause_partner
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import OUTSIDE
from orders.texts.errors import NotAllowedError, check_reason

WEEK, EARLY = datetime.timedelta(days=7), datetime.timedelta(seconds=90)  # the sweep comes once a minute


def plan_pause(
    *,
    partner: str,
    reason: str,
    by: str,
    begins: datetime.datetime,
    until: datetime.datetime | None,
    weekly: bool = False,
    now: datetime.datetime,
) -> PlannedPause:
    """Plans a pause of a partner, and each week again with `weekly`. Raises NotAllowedError."""
    if partner not in OUTSIDE:
        raise NotAllowedError("no_such_pause", partner=partner, known=", ".join(OUTSIDE))
    check_reason(reason, "a pause")
    if begins <= now:
        raise NotAllowedError("pause_over")
    if until is None or until <= begins or (weekly and until - begins >= WEEK):
        raise NotAllowedError("planned_pause_end")
    about = {"partner": partner, "reason": reason.strip(), "weekly": weekly}
    with transaction.atomic():
        row = PlannedPause.objects.create(**about, begins=begins, ends=until, planned_by=by[:160])
        add_event(None, "pause_planned", by=by, now=now, **about, **_times(row))
    return row


def call_off_planned(*, partner: str, pk: int, by: str, now: datetime.datetime) -> None:
    """Calls off a partner's planned pause; one that has begun ends as any pause. Raises NotAllowedError if there is
    none of this number."""
    with transaction.atomic():
        row = planned_pauses().select_for_update().filter(partner=partner, pk=pk).first()
        if row is None:
            raise NotAllowedError("no_planned_pause", pk=pk)
        PlannedPause.objects.filter(pk=pk).update(over_at=now)
        add_event(None, "planned_pause_off", by=by, now=now, partner=partner, **_times(row))


def planned_pauses() -> QuerySet[PlannedPause]:
    return PlannedPause.objects.filter(over_at=None)


def planned_soon(*, now: datetime.datetime) -> list[PlannedPause]:
    """Returns the pauses that begin today or tomorrow."""
    tomorrow = now.astimezone(SHANGHAI).date() + datetime.timedelta(days=1)
    end = datetime.datetime.combine(tomorrow, datetime.time.max, SHANGHAI)
    return list(planned_pauses().filter(begun_at=None, begins__lte=end))


def begin_planned_pauses(*, now: datetime.datetime) -> int:
    """Begins the pauses whose time comes before the next sweep, and moves weekly ones on. Returns how many began.

    A pause that a colleague ends early stays ended, and one that stands longer stays as it is.
    """
    begun = 0
    for pk in planned_pauses().filter(begins__lte=now + EARLY).values_list("pk", flat=True):
        with transaction.atomic():
            row = planned_pauses().select_for_update().filter(pk=pk, begins__lte=now + EARLY).first()
            if row is None:
                continue
            if row.ends <= now and row.weekly:
                weeks = (now - row.ends) // WEEK + 1
                row.begins, row.ends, row.begun_at = row.begins + weeks * WEEK, row.ends + weeks * WEEK, None
            elif row.ends <= now:
                row.over_at = row.ends
            elif row.begun_at is None:
                row.begun_at = now
                begun += _begin(row, now)
            row.save()
    return begun


def _begin(row: PlannedPause, now: datetime.datetime) -> bool:
    stands = Pause.objects.in_force(now).filter(partner=row.partner).first()
    if stands and (stands.until is None or stands.until >= row.ends):
        return False
    pause_partner(partner=row.partner, reason=row.reason, by=row.planned_by, now=now, until=row.ends)
    return True


def _times(row: PlannedPause) -> dict[str, str]:
    return {
        name: timezone.localtime(moment).isoformat(timespec="minutes")
        for name, moment in (("begins", row.begins), ("ends", row.ends))
    }


def say_planned(row: PlannedPause) -> str:
    """Returns `4: bigdata from 2023-09-21 00:00 until 2023-09-21 06:00, weekly, by command:root (maintenance)`."""
    begins, ends = (f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" for moment in (row.begins, row.ends))
    again = ", weekly" if row.weekly else ""
    return f"{row.pk}: {row.partner} from {begins} until {ends}{again}, by {row.planned_by} ({row.reason})"
