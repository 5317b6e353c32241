"""Billing records (话单) at the big-data side, and the traffic of trials."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orders.db.row import Row
from orders.models.querysets import BillingRecordQuerySet


class BillingRecord(Row):
    """A billing record at the big-data side, for one order (jobId), product and domain. Its row here is never
    deleted."""

    class State(models.TextChoices):
        TO_SEND = "to_send", _("To send")  # not at the big-data side yet
        LIVE = "live", _("Live")  # accepted, the customer is billed (or tries)
        CANCELLED = "cancelled", _("Cancelled")  # cancelStatus 2 accepted
        DELETED = "deleted", _("Deleted")  # compensation removed it
        UNKNOWN = "unknown", pgettext_lazy("record", "Unknown")  # attempts ended without a definite answer

    class Type(models.TextChoices):
        TRIAL = "1", _("Trial record")
        COMMERCIAL = "2", _("Commercial record")

    THERE = frozenset({State.LIVE, State.UNKNOWN})  # the customer is, or may be, billed by such records

    order = models.ForeignKey(
        "Order", models.PROTECT, related_name="billing_records", db_index=False, verbose_name=_("order (jobId)")
    )  # the constraint's index begins with it
    info_type = models.CharField(_("infoType"), max_length=1, choices=Type.choices)
    product_id = models.CharField(_("productId"), max_length=64)
    business_type = models.CharField(_("businessType"), max_length=8)
    domain = models.CharField(_("domain"), max_length=255)
    domain_key = models.CharField(_("domain in lower case"), max_length=255, db_index=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.TO_SEND)
    create_time = models.DateTimeField(_("createTime"), null=True, blank=True)
    cancel_time = models.DateTimeField(_("cancelTime while live"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    accepted = models.JSONField(
        _("accepted as the partner has it"), default=dict, blank=True, help_text=_("{field: value there}")
    )
    dispatch = models.ForeignKey(
        "Dispatch",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("made so by"),
        help_text=_("the dispatch whose answer gave the present state"),
    )

    objects = BillingRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("billing record")
        verbose_name_plural = _("billing records")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "product_id", "domain_key"], name="one_record_per_order_product_domain"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["to_send", "live", "cancelled", "deleted", "unknown"]),
                name="billing_state_known",
            ),
            models.CheckConstraint(condition=models.Q(info_type__in=["1", "2"]), name="billing_type_known"),
        ]

    def __str__(self):
        return f"{self.order_id} {self.domain}"


class TrialUsage(models.Model):
    """The big-data side's answer about a trial's traffic. Append-only."""

    trial = models.ForeignKey("Order", models.PROTECT, related_name="usages", verbose_name=_("trial"))
    product_id = models.CharField(_("productId"), max_length=64)
    enterprise_id = models.CharField(_("enterprise id"), max_length=64)
    data_flow = models.FloatField(_("traffic"))
    asked_at = models.DateTimeField(_("asked at"))

    class Meta:
        verbose_name = _("trial traffic")
        verbose_name_plural = _("trial traffic")
        ordering = ["-pk"]

    def __str__(self):
        return f"{self.trial_id} {self.data_flow}"
