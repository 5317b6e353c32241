"""Incidents: problems that need a person, grouped by cause."""

import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.order import owner_field
from orders.models.querysets import AffectedOrderQuerySet, IncidentQuerySet


class Incident(models.Model):
    """A cause (partner or internal component, step, error code, partner's words) and the orders that it stopped.

    An incident about a doubtful answer covers a call of a partner (contract 7.2): `step` is the first affected step.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        RESOLVED = "resolved", _("Resolved")
        IGNORED = "ignored", _("Ignored")

    partner = models.CharField(_("partner"), max_length=16, help_text=_("bigdata, bpm, mail, files, order or desk"))
    step = models.CharField(_("step"), max_length=32, blank=True)
    code = models.CharField(_("error code"), max_length=32)
    words = models.CharField(_("partner's words"), max_length=120, blank=True)  # as common_words shortens them
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.OPEN)
    detail = models.TextField(_("last detail"), blank=True)
    detail_params = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    first_at = models.DateTimeField(_("first at"))
    last_at = models.DateTimeField(_("last at"))
    count = models.PositiveIntegerField(_("count"), default=1)
    owner = owner_field()
    owner_since = models.DateTimeField(_("owner since"), null=True, blank=True)
    asleep_until = models.DateTimeField(
        _("sleeps until"), null=True, blank=True, help_text=_("till then no mail is written about it")
    )
    woke_at = models.DateTimeField(null=True, editable=False)  # when it last woke; mails then treat it as new

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "step", "code", "words"],
                condition=models.Q(state__in=["open", "acknowledged"]),
                name="one_open_incident_per_cause",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "acknowledged", "resolved", "ignored"]),
                name="incident_state_known",
            ),
        ]

    def __str__(self):
        return f"{self.partner}/{self.step}/{self.code}"

    def is_asleep(self, now: datetime.datetime) -> bool:
        return self.asleep_until is not None and self.asleep_until > now


class AffectedOrder(models.Model):
    """An order that an incident stopped, and the time at which the order continued. `step`: the stopped step, if it is
    not the incident's step."""

    incident = models.ForeignKey("Incident", models.PROTECT, related_name="affected", verbose_name=_("incident"))
    order = models.ForeignKey("Order", models.PROTECT, related_name="troubles", verbose_name=_("order"))
    step = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    detail = models.TextField(_("detail"), blank=True)
    detail_params = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    since = models.DateTimeField(_("since"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    beside = models.BooleanField(
        _("named beside another"),
        default=False,
        db_default=False,
        help_text=_("a trial, because an order of it is stopped on its records"),
    )
    quiet = models.BooleanField(
        default=False, db_default=False, editable=False
    )  # no mail: the person who found it has seen it
    accepted_by = models.CharField(_("accepted by"), max_length=160, blank=True)
    reason = models.TextField(_("reason of accepting"), blank=True)

    objects = AffectedOrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("affected order")
        verbose_name_plural = _("affected orders")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "order"],
                condition=models.Q(closed_at__isnull=True),
                name="one_open_trouble_per_incident_and_order",
            )
        ]

    def __str__(self):
        return f"{self.incident_id} {self.order_id}"

    @property
    def own_step(self) -> str:
        """The step at which the incident stopped this order."""
        return self.step or self.incident.step
