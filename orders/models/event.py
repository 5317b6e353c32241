"""Events of orders, with their actors. Append-only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.db.row import Row


class OrderEvent(Row):
    """An event of an order. `actor`: `bboss`, `bpm`, `worker`, `command:NAME` or `staff:NAME`. For `staff:NAME`,
    `account_id` is set."""

    order = models.ForeignKey("Order", models.PROTECT, null=True, related_name="events", verbose_name=_("order"))
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=160)
    account_id = models.BigIntegerField(null=True, editable=False)
    kind = models.CharField(_("kind"), max_length=32)
    data = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["pk"]

    def __str__(self):
        return f"{self.order_id} {self.kind}"
