"""Models of exports and scheduled exports (contract section 5)."""

import functools
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Replace
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text
from orders.office.jobs import Job
from orders.office.saved_views.models import SavedView

# `weekdays` without the digits 1 to 7. This is not a regular expression, since SQLite has those only inside Django.
OTHER_LETTERS: models.expressions.Combinable = functools.reduce(
    lambda left, day: Replace(left, models.Value(day), models.Value("")), "1234567", models.F("weekdays")
)


class Export(Job):
    """A staff list written to a file. The row is kept forever. The file in EXPORT_DIR is kept only until `expires_at`.

    `query` is the list's filter as in its URL. `scope` holds the letters of the attributions to which the maker was
    limited, or null. `judged_by` (account `judge_id`) is the second person who approved or refused an export of
    personal data, if the site requires one.

    `schedule` created the export for a `slot`. Without a slot, the schedule's owner started the export. `missed` counts
    later slots that passed without an export, because no worker ran or the disk was nearly full.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("Waits for a second person")
        WAITING = "waiting", _("Waiting for a worker")
        RUNNING = "running", _("Being written")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Not made")

    class Format(models.TextChoices):
        XLSX = "xlsx", _("Excel (xlsx)")
        CSV = "csv", _("Text (csv)")

    TASK, TASK_OPTIONS = "integrations.tasks.export", {"timeout": 6 * 3600}
    FENCE = "attempts"
    # Exports that people started come before exports of slots, for which nobody waits. Then the oldest is first.
    TURNS: ClassVar[list] = [F("slot").asc(nulls_first=True), "pk"]
    WAITS_SINCE = "created_at"
    UNFINISHED: ClassVar[list[str]] = [State.ASKED, State.WAITING, State.RUNNING]
    MAX_UNFINISHED, TOO_MANY = 5, "export_too_many"

    by = models.CharField(_("exported by"), max_length=160)
    created_at = models.DateTimeField(_("exported at"))
    list_name = models.CharField(_("list"), max_length=32)
    query = models.TextField(_("filter"), blank=True)
    columns = models.JSONField(_("columns"), default=list)
    format = models.CharField(_("file format"), max_length=8, choices=Format.choices)
    personal = models.BooleanField(_("with personal data"), default=False)
    reason = models.TextField(_("reason"), blank=True)
    judged_by = models.CharField(_("second person"), max_length=160, blank=True)
    judge_id = models.BigIntegerField(null=True, editable=False)
    judged_at = models.DateTimeField(_("judged at"), null=True, blank=True)
    scope = models.JSONField(_("attributions"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    total = models.PositiveIntegerField(_("rows in all"), null=True, blank=True)
    written = models.PositiveIntegerField(_("rows written"), default=0)
    attempts = models.PositiveSmallIntegerField(_("times begun"), default=0)
    file = models.CharField(_("file"), max_length=80, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)
    downloads = models.PositiveIntegerField(_("downloads"), default=0)
    schedule = models.ForeignKey(  # the constraint's index starts with this column
        "orders.ScheduledExport",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="exports",
        db_index=False,
        verbose_name=_("scheduled export"),
    )
    slot = models.DateTimeField(_("due at"), null=True, blank=True)
    missed = models.PositiveSmallIntegerField(_("missed"), null=True, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-pk"]
        default_permissions = ["view"]
        permissions = [
            ("export_list", "Can export lists"),
            ("judge_export", "Can agree to a colleague's export of personal data"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="running"), name="one_export_is_written_at_a_time"
            ),
            models.UniqueConstraint(fields=["schedule", "slot"], name="one_export_per_schedule_and_slot"),
        ]
        indexes = [
            models.Index(fields=["by", "-id"], name="export_by"),
            models.Index(fields=["maker_id", "-id"], name="export_maker"),
            models.Index(fields=["expires_at"], name="export_kept", condition=~models.Q(file="")),
        ]

    def __str__(self):
        return f"{self.list_name} {self.created_at:%Y-%m-%d %H:%M}"


class ScheduledExport(models.Model):
    """A saved view that is exported automatically, with its owner's permissions at that time.

    `weekdays` are ISO numbers, such as `135`: Monday, Wednesday, Friday. `at` is a time in Asia/Shanghai. While the
    schedule is on, `next_run_at` is its next slot. While the schedule is off, `off_at` is the time when it was switched
    off. If it was switched off automatically, `off_why` holds a code with its parameters. `failures` counts consecutive
    slots without a file.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False, verbose_name=_("owner")
    )  # the constraint's index starts with this column
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
        """Shown in titles, links and logs. The name is masked, since users type it."""
        return mask_text(self.name)

    @property
    def is_on(self) -> bool:
        return self.off_at is None
