"""The job of start days' schedules. Rows in the database name this path, so it stays (docs/architecture.md)."""

from django.utils import timezone

from orders.start_day.start_day import activate


def run_job(number: str) -> str:
    """The schedule's job for one order. It may run twice or late. Returns what it did, for the queue's log."""
    started = activate(numbers=[number], by="schedule", now=timezone.now())
    return f"{number}: {'started' if started else 'nothing to do'}"
