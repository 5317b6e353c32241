"""The working-day calendar: days that are worked or not against the rule of weekends (orders/working_days.py)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CalendarDay(models.Model):
    """A holiday, or a weekend's day that is worked. A holiday that nobody entered is a working day."""

    day = models.DateField(_("date"), primary_key=True)
    worked = models.BooleanField(_("is a working day"), default=False)
    name = models.CharField(_("occasion"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("day of the calendar")
        verbose_name_plural = _("working-day calendar")
        ordering = ["-day"]

    def __str__(self):
        return f"{self.day:%Y-%m-%d}"
