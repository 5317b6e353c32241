"""Corrects times that are further in the future than any rule could have set them (contract 3.9, 10).

This happens when the worker starts, and in each sweep.
"""

import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Model
from django_q.models import OrmQ

from integrations.models import Breaker, Heartbeat, LeaseLock
from integrations.worker.recurring_schedules import put_schedules_back, were_made
from orders.history.order_locks_and_events import add_event
from orders.office.bulk.models import BulkRun
from orders.office.exports.export_jobs import PACKING_LEASE
from orders.office.exports.models import Export
from orders.sending import far_future_times
from orders.sending.far_future_times import BY_ITSELF, CLOCK_TOLERANCE


def correct_times(*, now: datetime.datetime) -> int:
    """Corrects the times of steps, mails and schedules, and of rows without an order. Returns the number of corrected
    times."""
    back = put_schedules_back(now=now) if were_made() else []
    return far_future_times.put_right(now=now) + _correct_desk_rows(now) + len(back)


@transaction.atomic
def _correct_desk_rows(now: datetime.datetime) -> int:
    """Sets implausible times of rows without an order to the current time. Adds one event with the number of rows by
    model. Returns the number of rows."""
    found = {
        model._meta.model_name: model._default_manager.filter(**{f"{name}__gt": now + most}).update(**{name: now})
        for model, name, most in _time_fields()
    }
    if moments := ", ".join(f"{name}: {number}" for name, number in found.items() if number):
        add_event(None, "moments_put_right", by=BY_ITSELF, now=now, moments=moments)
    return sum(found.values())


def _time_fields() -> list[tuple[type[Model], str, datetime.timedelta]]:
    """Returns (model, field, longest plausible time ahead). This time is twice the table's longest lease or, for fields
    of past events, the clock tolerance."""
    probe = datetime.timedelta(seconds=settings.BREAKER_PROBE_SECONDS)
    return [
        (Heartbeat, "seen_at", CLOCK_TOLERANCE),
        (Breaker, "probe_at", 2 * probe + CLOCK_TOLERANCE),
        (LeaseLock, "until", 2 * PACKING_LEASE),
        (Export, "leased_until", 2 * PACKING_LEASE),
        (BulkRun, "leased_until", 2 * PACKING_LEASE),
        (OrmQ, "lock", 2 * datetime.timedelta(seconds=settings.Q_CLUSTER["retry"])),
    ]
