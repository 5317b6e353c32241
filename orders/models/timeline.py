"""The history of a database: the periods between its restores (contract 3.9, 17; 5)."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


def new_name() -> str:
    """Returns a random, unique name."""
    return uuid.uuid4().hex


class Timeline(models.Model):
    """A period of this database's history, like a timeline of PostgreSQL. The newest row is the present period.

    The first period begins when the database is created. Each later period begins with `restored` and has a new name.
    If machines keep marks under an old name, these marks do not apply to the new period. `last_order` and
    `last_attempt`: the newest ids from before the period (0 for the first period). `last_event`: the event that made
    the restore known.
    """

    name = models.CharField(_("name"), max_length=32, unique=True, default=new_name)
    begun_at = models.DateTimeField(_("begun at"))
    begun_by = models.CharField(_("begun by"), max_length=160, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    last_order = models.BigIntegerField(_("last order from before"), default=0)
    last_attempt = models.BigIntegerField(_("last attempt from before"), default=0)
    last_event = models.BigIntegerField(_("last event from before"), default=0)
    restored_at = models.DateTimeField(
        _("restored at"), null=True, blank=True, help_text=_("since when it counts as restored; nothing is sent")
    )
    restored = models.JSONField(
        _("how that is known"),
        default=dict,
        blank=True,
        help_text=_("machine; newest: the event it has; seen: the event that the machine had seen; backup"),
    )

    class Meta:
        verbose_name = _("stretch between restores")
        verbose_name_plural = _("stretches between restores")
        ordering = ["pk"]
        permissions = [("release_restored", "Can say that a restored desk may send again")]

    def __str__(self):
        return self.name
