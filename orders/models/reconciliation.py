"""Reconciliations: comparisons of our billing records with the big-data side's."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models.order import owner_field


class Reconciliation(models.Model):
    """A comparison. It is stored even without differences, so that staff notice when comparisons stop."""

    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    by = models.CharField(_("by"), max_length=160)
    whole = models.BooleanField(
        _("all orders"), default=False, db_default=False, help_text=_("not only some orders, or those since a day")
    )
    orders = models.PositiveIntegerField(_("orders compared"), default=0)
    records = models.PositiveIntegerField(_("records compared"), default=0)
    differences = models.PositiveIntegerField(_("differences"), default=0)
    fixed = models.PositiveIntegerField(_("fixed"), default=0)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-pk"]

    def __str__(self):
        return f"{timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"


class Difference(models.Model):
    """A difference, and how it was handled."""

    class Kind(models.TextChoices):
        NOT_BILLED = "not_billed", _("Live order, not billed")  # ours is live, theirs is missing
        NOT_OURS = "not_ours", _("Billed, no live order")  # theirs is live, ours is not
        FIELDS = "fields", _("Fields differ")
        UNKNOWN_ORDER = "unknown_order", _("Number that we do not know")  # in BBOSS's list, or has records there
        NOT_LISTED = "not_listed", _("Missing in BBOSS's list")  # we have the order, but BBOSS's list does not
        NOT_MEANT = "not_meant", _("Not as the orders say")  # both sides agree, but differ from the orders
        UNREADABLE = "unreadable", _("Record that can't be read")  # has a value that the database can't store

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        OVER = "over", _("Over")  # a later comparison no longer found it, or found it again
        ACCEPTED = "accepted", _("Accepted by staff")  # with a reason

    reconciliation = models.ForeignKey(
        "Reconciliation", models.CASCADE, related_name="found", verbose_name=_("reconciliation")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=160, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    order = models.ForeignKey("Order", models.PROTECT, null=True, related_name="differences", verbose_name=_("order"))
    job_id = models.CharField(_("jobId"), max_length=64)
    product_id = models.CharField(_("productId"), max_length=64)
    domain = models.CharField(_("domain"), max_length=255)
    detail = models.JSONField(_("details"), default=dict)
    fix = models.ForeignKey(
        "Dispatch", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("fixed by")
    )
    found_at = models.DateTimeField(
        _("found at"), default=timezone.now, help_text=_("when a comparison found it first; kept when it is found anew")
    )
    checked_at = models.DateTimeField(
        _("checked again at"), null=True, blank=True, help_text=_("when the books were compared after it was put right")
    )
    owner = owner_field(db_index=False, db_constraint=False)  # `difference_owner` (orders/db/indexes.py) begins with it
    owner_since = models.DateTimeField(_("owner since"), null=True, blank=True)

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["job_id"], name="difference_open", condition=models.Q(state="open")),
            models.Index(
                fields=["job_id"],
                name="difference_unchecked",
                condition=models.Q(state="over", fix__isnull=False, checked_at=None),
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.job_id} {self.domain}"
