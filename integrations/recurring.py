"""The recurring schedules (contract section 5, `setup_schedules`)."""

from django.utils import timezone
from django_q.models import Schedule

RECURRING = {
    "desk-sweep": {"func": "integrations.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
}


def make_schedules() -> list[str]:
    """Makes or mends the recurring schedules; returns the names of those that were changed. Idempotent."""
    return [name for name, wanted in RECURRING.items() if _make(name, wanted)]


def _make(name: str, wanted: dict) -> bool:
    rows = Schedule.objects.filter(name=name)
    right = rows.filter(**wanted, repeats=-1, cluster=None).first()
    extra = rows.exclude(pk=right.pk) if right else rows
    removed, _ = extra.delete()
    if right is None:
        Schedule.objects.create(name=name, next_run=timezone.now(), repeats=-1, **wanted)
    return right is None or bool(removed)
