"""Conditions that many queries need, as querysets."""

import datetime

from django.db import models
from django.db.models.functions import Coalesce, NullIf

OPEN_STATES = ["due", "retrying", "sending"]  # of a dispatch that may be claimed now or later
UNRESOLVED = ["open", "acknowledged"]  # of an incident that is not over, whether somebody has taken it up or not

STOPPED_BY = Coalesce(NullIf("step", models.Value("")), "incident__step")
"""The step by which an incident stopped an order: `AffectedOrder.own_step` as an expression."""


class DispatchQuerySet(models.QuerySet):
    def current(self):
        """The dispatches that no newer one has replaced."""
        return self.filter(superseded=False)

    def open(self):
        """The dispatches that may be claimed, now or later."""
        return self.filter(state__in=OPEN_STATES)

    def due(self, now: datetime.datetime):
        return self.open().filter(next_try_at__lte=now)


class BillingRecordQuerySet(models.QuerySet):
    def not_run_out(self, now: datetime.datetime):
        """Filters for records whose cancelTime has not passed. One whose has is over by itself."""
        return self.filter(models.Q(cancel_time=None) | models.Q(cancel_time__gt=now))

    def not_over(self, now: datetime.datetime):
        """Filters for records that are live at the big-data side, or that may be."""
        return self.filter(state__in=self.model.THERE).not_run_out(now)

    def in_force(self, now: datetime.datetime):
        """Filters for records by which somebody is billed, or on trial, at this moment: begun and not over."""
        return self.not_over(now).exclude(create_time__gt=now)


class AffectedOrderQuerySet(models.QuerySet):
    def unresolved(self):
        """Orders that an incident still stops."""
        return self.filter(closed_at=None)

    def of_step(self, step: str | models.OuterRef):
        """Filters for rows whose order a step of this name stopped."""
        return self.alias(stopped_by=STOPPED_BY).filter(stopped_by=step)


class IncidentQuerySet(models.QuerySet):
    def unresolved(self):
        """Incidents that are not over, whether somebody has taken them up or not."""
        return self.filter(state__in=UNRESOLVED)

    def awake(self, now: datetime.datetime):
        """Incidents about which people are mailed."""
        return self.filter(models.Q(asleep_until=None) | models.Q(asleep_until__lte=now))
