"""The recurring schedules (contract section 5, `setup_schedules`)."""

import datetime

from django.utils import timezone
from django_q.models import Schedule

from integrations.worker.lease_lock import Lease
from orders.history.order_locks_and_events import add_event
from orders.sending.far_future_times import CLOCK_TOLERANCE

RECURRING = {
    "desk-sweep": {"func": "integrations.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "desk-files": {"func": "integrations.tasks.look_at_files", "schedule_type": Schedule.MINUTES, "minutes": 5},
    "desk-tidy": {"func": "integrations.tasks.tidy", "schedule_type": Schedule.HOURLY},
    "desk-usage": {"func": "integrations.tasks.nightly_usage", "schedule_type": Schedule.DAILY},
    "desk-reconcile": {"func": "integrations.tasks.reconcile", "schedule_type": Schedule.DAILY},
}
PUT_BACK = "schedules_put_back"
NIGHTLY_AT = {"desk-usage": datetime.time(2, 10), "desk-reconcile": datetime.time(3, 10)}  # Asia/Shanghai


def make_schedules() -> list[str]:
    """Creates or repairs the recurring schedules. Returns the names of the changed schedules. Idempotent."""
    return [name for name, wanted in RECURRING.items() if _make(name, wanted)]


def sleeping_schedules(*, now: datetime.datetime) -> list[str]:
    """Returns the names of schedules that are missing, switched off, or due later than their interval allows."""
    rows = Schedule.objects.filter(name__in=RECURRING, cluster=None).exclude(repeats=0)
    awake = {row.name for row in rows if row.next_run <= now + _interval(row.schedule_type, row.minutes)}
    return [name for name in RECURRING if name not in awake]


def put_schedules_back(*, now: datetime.datetime) -> list[str]:
    """Creates missing or inactive schedules again, and adds an event. Returns their names. Takes a lease, because two
    workers would create duplicates at the same time."""
    names = sleeping_schedules(now=now)
    if not names or not Lease("schedules").acquire():
        return []
    for name in names:
        _make(name, RECURRING[name])
    add_event(None, PUT_BACK, by="worker", now=now, names=", ".join(names))
    return names


def were_made() -> bool:
    """Returns True if any of the schedules exists. Before the first worker has run, none exists."""
    return Schedule.objects.filter(name__in=RECURRING).exists()


def _make(name: str, wanted: dict) -> bool:
    rows = Schedule.objects.filter(name=name)
    latest = timezone.now() + _interval(wanted["schedule_type"], wanted.get("minutes"))
    right = rows.filter(**wanted, repeats=-1, cluster=None, next_run__lte=latest).first()
    extra = rows.exclude(pk=right.pk) if right else rows
    removed, _ = extra.delete()
    if right is None:
        Schedule.objects.create(name=name, next_run=_first_run(name), repeats=-1, **wanted)
    return right is None or bool(removed)


def _interval(kind: str, minutes: int | None) -> datetime.timedelta:
    """Returns the longest possible time from now to the next run, with a margin for clocks that differ."""
    lasts = {Schedule.MINUTES: datetime.timedelta(minutes=minutes or 1), Schedule.HOURLY: datetime.timedelta(hours=1)}
    return lasts.get(kind, datetime.timedelta(days=1)) + CLOCK_TOLERANCE


def _first_run(name: str) -> datetime.datetime:
    now = timezone.localtime()
    if name not in NIGHTLY_AT:
        return now
    tonight = datetime.datetime.combine(now.date(), NIGHTLY_AT[name], now.tzinfo)
    return tonight if tonight > now else tonight + datetime.timedelta(days=1)
