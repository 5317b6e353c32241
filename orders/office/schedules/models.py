"""Scheduled exports: a saved view that is written to a file at fixed times of the week (contract section 5)."""

import functools

from django.conf import settings
from django.db import models
from django.db.models.functions import Replace
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text
from orders.office.exports.models import Export
from orders.office.views.models import SavedView

# What is left of the weekdays without 1 to 7. Not by a pattern, which SQLite knows only inside Django.
OTHER_LETTERS: models.expressions.Combinable = functools.reduce(
    lambda left, day: Replace(left, models.Value(day), models.Value("")), "1234567", models.F("weekdays")
)


class ScheduledExport(models.Model):
    """A saved view that is exported by itself, with the rights that its owner has at that moment.

    `weekdays` are ISO numbers, such as `135`: Monday, Wednesday, Friday. `at` is a time of Asia/Shanghai. While it is
    switched on, `next_run_at` is its next slot; while it is off, `off_at` says since when, and `off_why` holds a code
    with its parameters if the desk itself did that. `failures` counts the slots in a row that gave no file.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False, verbose_name=_("owner")
    )  # the constraint's index begins with it
    view = models.ForeignKey(
        SavedView, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("saved view")
    )
    name = models.CharField(_("name"), max_length=40)
    weekdays = models.CharField(_("weekdays"), max_length=7)
    at = models.TimeField(_("time of day"))
    format = models.CharField(_("file format"), max_length=8, choices=Export.Format.choices)
    recipients = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="+", verbose_name=_("recipients"), blank=True
    )
    personal = models.BooleanField(_("with personal data"), default=False)
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(_("made at"))
    next_run_at = models.DateTimeField(_("next run"), null=True, blank=True, db_index=True)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True)
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    off_at = models.DateTimeField(_("switched off at"), null=True, blank=True)
    off_why = models.JSONField(_("why it was switched off"), default=dict, blank=True)

    class Meta:
        verbose_name = _("scheduled export")
        verbose_name_plural = _("scheduled exports")
        ordering = ["-pk"]
        default_permissions = ["view"]
        permissions = [("stop_scheduledexport", "Can switch off a colleague's scheduled export")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_scheduled_export_per_owner_and_name"),
            models.CheckConstraint(
                condition=models.Q(next_run_at__isnull=False, off_at__isnull=True)
                | models.Q(next_run_at__isnull=True, off_at__isnull=False),
                name="scheduled_export_on_or_off",
            ),
            models.CheckConstraint(condition=~models.Q(weekdays=""), name="scheduled_export_has_weekdays"),
            models.CheckConstraint(
                condition=Exact(OTHER_LETTERS, models.Value("")), name="scheduled_export_weekdays_are_1_to_7"
            ),
            models.CheckConstraint(
                condition=models.Q(personal=False) | ~models.Q(reason=""), name="scheduled_export_says_why"
            ),
        ]

    def __str__(self):
        """Titles, links and journals show this text. It is somebody's own words, so it is masked."""
        return mask_text(self.name)

    @property
    def is_on(self) -> bool:
        return self.off_at is None
