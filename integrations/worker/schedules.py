"""The recurring schedules (contract section 5, `setup_schedules`)."""

import datetime
from collections.abc import Callable

from django.utils import timezone
from django_q.models import Schedule

RECURRING = {
    "desk-sweep": {"func": "integrations.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "desk-files": {"func": "integrations.tasks.look_at_files", "schedule_type": Schedule.MINUTES, "minutes": 5},
    "desk-tidy": {"func": "integrations.tasks.tidy", "schedule_type": Schedule.HOURLY},
    "desk-usage": {"func": "integrations.tasks.nightly_usage", "schedule_type": Schedule.DAILY},
    "desk-reconcile": {"func": "integrations.tasks.reconcile", "schedule_type": Schedule.DAILY},
}
every_minute: list[Callable] = []  # parts of the sweep: `project` adds to it when it starts
every_five_minutes: list[Callable] = []  # what `desk-files` does before: `project` adds to it when it starts
NIGHTLY_AT = {"desk-usage": datetime.time(2, 10), "desk-reconcile": datetime.time(3, 10)}  # Asia/Shanghai


def make_schedules() -> list[str]:
    """Makes or repairs the recurring schedules. Returns the names of those that changed. Idempotent."""
    return [name for name, wanted in RECURRING.items() if _make(name, wanted)]


def _make(name: str, wanted: dict) -> bool:
    rows = Schedule.objects.filter(name=name)
    right = rows.filter(**wanted, repeats=-1, cluster=None).first()
    extra = rows.exclude(pk=right.pk) if right else rows
    removed, _ = extra.delete()
    if right is None:
        Schedule.objects.create(name=name, next_run=_first_run(name), repeats=-1, **wanted)
    return right is None or bool(removed)


def _first_run(name: str) -> datetime.datetime:
    now = timezone.localtime()
    if name not in NIGHTLY_AT:
        return now
    tonight = datetime.datetime.combine(now.date(), NIGHTLY_AT[name], now.tzinfo)
    return tonight if tonight > now else tonight + datetime.timedelta(days=1)
