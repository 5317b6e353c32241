"""Querysets with frequently used filters."""

import datetime

from django.db import models
from django.db.models.functions import Coalesce, NullIf

OPEN_STATES = ["due", "retrying", "sending"]  # dispatches that may be claimed now or later
UNRESOLVED = ["open", "acknowledged"]  # incidents that are not over, with or without an owner

STOPPED_BY = Coalesce(NullIf("step", models.Value("")), "incident__step")
"""The step at which an incident stopped an order: `AffectedOrder.own_step` as an expression."""


class DispatchQuerySet(models.QuerySet):
    def current(self):
        """Filters for dispatches that are not replaced by a newer one."""
        return self.filter(superseded=False)

    def open(self):
        """Filters for dispatches that may be claimed now or later."""
        return self.filter(state__in=OPEN_STATES)

    def due(self, now: datetime.datetime):
        return self.open().filter(next_try_at__lte=now)


class BillingRecordQuerySet(models.QuerySet):
    def not_run_out(self, now: datetime.datetime):
        """Filters for records whose cancelTime has not passed. Other records are over without a call."""
        return self.filter(models.Q(cancel_time=None) | models.Q(cancel_time__gt=now))

    def not_over(self, now: datetime.datetime):
        """Filters for records that are, or may be, live at the big-data side."""
        return self.filter(state__in=self.model.THERE).not_run_out(now)

    def in_force(self, now: datetime.datetime):
        """Filters for records by which a customer is now billed or on trial: started and not over."""
        return self.not_over(now).exclude(create_time__gt=now)


class AffectedOrderQuerySet(models.QuerySet):
    def unresolved(self):
        """Filters for orders that an incident still stops."""
        return self.filter(closed_at=None)

    def of_step(self, step: str | models.OuterRef):
        """Filters for rows whose order was stopped at a step of this name."""
        return self.alias(stopped_by=STOPPED_BY).filter(stopped_by=step)


class IncidentQuerySet(models.QuerySet):
    def unresolved(self):
        """Filters for incidents that are not over, with or without an owner."""
        return self.filter(state__in=UNRESOLVED)

    def awake(self, now: datetime.datetime):
        """Filters for incidents about which mails are sent."""
        return self.filter(models.Q(asleep_until=None) | models.Q(asleep_until__lte=now))
