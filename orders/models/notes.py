"""Notes of staff about an incident or a customer. An order's notes are events."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffNote(models.Model):
    """A note. `by` is an actor such as `staff:NAME`, or empty if unknown. `scope`: the letters of the attributions to
    which the author was limited, or null if the author was not limited."""

    at = models.DateTimeField(_("at"))
    by = models.CharField(_("written by"), max_length=160, blank=True)
    account_id = models.BigIntegerField(null=True, editable=False)
    text = models.TextField(_("note"))
    scope = models.JSONField(_("attributions"), null=True, blank=True)

    class Meta:
        abstract = True
        default_permissions: list[str] = []  # visible on the page of the incident or customer
        ordering = ["pk"]


class IncidentNote(StaffNote):
    """A note about an incident."""

    incident = models.ForeignKey("Incident", models.PROTECT, related_name="notes", verbose_name=_("incident"))

    class Meta(StaffNote.Meta):
        verbose_name = _("note on an incident")
        verbose_name_plural = _("notes on incidents")

    def __str__(self):
        return f"{self.incident_id} {self.by}"


class CustomerNote(StaffNote):
    """A note about a customer. Refers to the enterprise id, since the search index may recreate customers."""

    enterprise_id = models.CharField(_("enterprise id"), max_length=64)

    class Meta(StaffNote.Meta):
        verbose_name = _("note on a customer")
        verbose_name_plural = _("notes on customers")
        indexes = [models.Index(fields=["enterprise_id"], name="customernote_customer")]

    def __str__(self):
        return f"{self.enterprise_id} {self.by}"
