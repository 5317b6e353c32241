"""The approval history (审批记录): decisions by BPM and by our staff. Append-only."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class ApprovalRecord(models.Model):
    """A decision or remark. Records from BPM have BPM's `record_id`. Records of our staff are waivers with a reason.

    `process_key` identifies the process to which a final record from BPM belongs (contract 3.6). It is the idempotency
    key of the last request sent to BPM before the record arrived, or NOTHING_SENT. It is null for all other records,
    and for records stored before 1.1.0.
    """

    NOTHING_SENT = uuid.UUID(int=0)

    class Source(models.TextChoices):
        BPM = "bpm", _("BPM")
        STAFF = "staff", _("Staff")

    class Result(models.TextChoices):
        PASS = "pass", _("Passed")
        REJECT = "reject", _("Rejected")
        RETURN = "return", _("Returned")
        WAIVE = "waive", _("Waived")

    record_id = models.CharField(_("record id"), max_length=128, unique=True)
    order = models.ForeignKey("orders.Order", models.PROTECT, related_name="approvals", verbose_name=_("order"))
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.BPM)
    node = models.CharField(_("node"), max_length=128, blank=True)
    node_name = models.CharField(_("node name"), max_length=255, blank=True)
    result = models.CharField(_("result"), max_length=8, choices=Result.choices)
    operator = models.CharField(_("operator"), max_length=255, blank=True)
    opinion = models.TextField(_("opinion"), blank=True)
    time = models.DateTimeField(_("decided at"))
    finished = models.BooleanField(_("finished"), default=False)
    body_hash = models.CharField(max_length=64, editable=False)
    received_at = models.DateTimeField(_("received at"))
    process_key = models.UUIDField(null=True, editable=False)

    class Meta:
        verbose_name = _("approval record")
        verbose_name_plural = _("approval records")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(result__in=["pass", "reject", "return", "waive"]), name="approval_result_known"
            ),
            models.CheckConstraint(
                condition=models.Q(finished=False) | models.Q(result__in=["pass", "reject"]),
                name="finished_is_pass_or_reject",
            ),
        ]

    def __str__(self):
        return self.record_id
