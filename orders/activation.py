"""The job of the start days' schedules. Rows in the database store this path, so it stays (docs/architecture.md)."""

from django.utils import timezone

from orders.start_day.start_day import activate


def run_job(number: str) -> str:
    """Runs a schedule's job for one order. It may run twice or late. Returns what it did, for the queue's log."""
    started = activate(numbers=[number], by="schedule", now=timezone.now())
    return f"{number}: {'started' if started else 'nothing to do'}"
