"""Pauses: staff hold back the calls to a partner, for example during its maintenance (contract 3.5 and section 5)."""

import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.rules.steps import OUTSIDE, Partner


class PauseQuerySet(models.QuerySet):
    def not_ended(self) -> "PauseQuerySet":
        """Filters for pauses without a stored end. Their `until` may have passed recently."""
        return self.filter(resumed_at=None)

    def in_force(self, now) -> "PauseQuerySet":
        """Filters for pauses that are in force at `now` (a datetime or an expression)."""
        return self.not_ended().filter(models.Q(until=None) | models.Q(until__gt=now))


class Pause(models.Model):
    """A period in which nothing is sent to a partner. The row says who paused and resumed the partner, when and why,
    and is never deleted. A pause whose `until` has passed is no longer in force, even if its end is not stored yet."""

    partner = models.CharField(_("partner"), max_length=16, choices=[(name, Partner(name).label) for name in OUTSIDE])
    reason = models.TextField(_("reason"))
    paused_by = models.CharField(_("paused by"), max_length=160)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True, blank=True)
    reminded_at = models.DateTimeField(_("last reminder"), null=True, blank=True)
    resumed_at = models.DateTimeField(_("went on at"), null=True, blank=True)
    resumed_by = models.CharField(_("resumed by"), max_length=160, blank=True)

    objects = PauseQuerySet.as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        ordering = ["-pk"]
        permissions = [("pause_partner", "Can pause and resume a partner")]
        constraints = [
            models.UniqueConstraint(
                fields=["partner"], condition=models.Q(resumed_at__isnull=True), name="one_open_pause_per_partner"
            ),
            models.CheckConstraint(condition=models.Q(partner__in=OUTSIDE), name="pause_partner_known"),
        ]

    def __str__(self):
        return f"{self.partner} {self.since}"

    def stands(self, now: datetime.datetime) -> bool:
        return self.resumed_at is None and (self.until is None or self.until > now)
