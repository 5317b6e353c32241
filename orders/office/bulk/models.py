"""Models of bulk runs and their rows."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.office.jobs import Job


class BulkRun(Job):
    """One action on many rows. It is a draft until its maker confirms it. Then workers carry it out, part by part.

    `query` is the filter as in the list's URL. `words` is the description of the filter: pairs of title and value.
    `details` holds the action's parameters besides the reason, and the progress of notifications (`told`). `turn`
    counts the claims. A process that knows an older turn has lost the run. `attempts` counts the claims that tried the
    next row. `error` is the reason why the run was stopped.

    A draft with `finished_at` can't be confirmed any more.
    """

    class Act(models.TextChoices):
        RESEND = "resend", _("Resend what failed")
        ATTRIBUTE = "attribute", _("Choose the attribution")
        NOTE = "note", _("Write a note")
        CONFLICTS = "conflicts", _("Conflicts seen to")
        INCIDENTS = "incidents", _("Take incidents up")
        OWN_ORDERS = "own_orders", _("Hand over")
        OWN_INCIDENTS = "own_incidents", _("Hand over")
        OWN_DIFFERENCES = "own_differences", _("Hand over")

    class State(models.TextChoices):
        DRAFT = "collecting", _("Draft")  # the stored name since 1.3.0, also in the index below
        WAITING = "waiting", _("Waiting for a worker")
        RUNNING = "running", _("Under way")
        STOPPED = "stopped", _("Stopped")
        DONE = "done", _("Finished")

    TASK = "integrations.tasks.bulk"
    FENCE = "turn"
    TURNS: ClassVar[list] = ["worked_at", "pk"]
    WAITS_SINCE = "worked_at"
    IN_BACKGROUND: ClassVar[dict] = {"state": State.RUNNING, "at_once": False}
    UNFINISHED: ClassVar[list[str]] = [State.WAITING, State.RUNNING]
    MAX_UNFINISHED, TOO_MANY = 3, "bulk_too_many"

    by = models.CharField(_("begun by"), max_length=160)
    created_at = models.DateTimeField(_("begun at"))
    act = models.CharField(_("act"), max_length=16, choices=Act.choices)
    query = models.TextField(_("filter"), blank=True)
    words = models.JSONField(_("filter in words"), default=list, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DRAFT)
    total = models.PositiveIntegerField(_("rows in all"), default=0)
    done = models.PositiveIntegerField(_("carried out"), default=0)
    failed = models.PositiveIntegerField(_("not carried out"), default=0)
    at_once = models.BooleanField(default=False, editable=False)
    turn = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    worked_at = models.DateTimeField(editable=False)
    items_kept = models.BooleanField(_("rows are kept"), default=True)

    class Meta:
        verbose_name = _("bulk run")
        verbose_name_plural = _("bulk runs")
        ordering = ["-pk"]
        default_permissions = ["view"]
        permissions = [("stop_bulkrun", "Can stop a colleague's bulk run")]
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=models.Q(state="running", at_once=False),
                name="one_bulk_run_is_carried_out_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["worked_at"],
                name="bulk_run_open",
                condition=models.Q(state__in=["collecting", "waiting", "running"]),
            ),
            models.Index(fields=["finished_at"], name="bulk_run_kept", condition=models.Q(items_kept=True)),
        ]

    def __str__(self):
        return f"{self.act} {self.created_at:%Y-%m-%d %H:%M}"


class BulkItem(models.Model):
    """A row of a run. `target` is the id of the object that the run's action changes: an order, a conflict's message,
    an incident or a difference.

    `why`: the code and parameters of the refusal.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Still to do")
        DONE = "done", _("Carried out")
        FAILED = "failed", _("Not carried out")

    run = models.ForeignKey(
        "BulkRun", models.CASCADE, related_name="items", db_index=False, verbose_name=_("bulk run")
    )  # the constraint's index starts with this column
    target = models.BigIntegerField(_("row"))
    state = models.CharField(_("outcome"), max_length=8, choices=State.choices, default=State.WAITING)
    why = models.JSONField(_("reason"), default=dict, blank=True)

    class Meta:
        verbose_name = _("row of a bulk run")
        verbose_name_plural = _("rows of bulk runs")
        ordering = ["-run_id", "-target"]  # the constraint's index has them in this order
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(fields=["run", "target"], name="one_item_per_run_and_row"),
        ]
        indexes = [
            models.Index(fields=["run", "target"], name="bulk_item_waits", condition=models.Q(state="waiting")),
            models.Index(fields=["run", "target"], name="bulk_item_failed", condition=models.Q(state="failed")),
        ]

    def __str__(self):
        return f"{self.run_id} {self.target}"
