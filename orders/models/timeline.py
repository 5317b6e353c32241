"""The history of a database: the periods between its restores (contract 3.9, 17; 5)."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


def new_name() -> str:
    """A random name that no other database has."""
    return uuid.uuid4().hex


class Timeline(models.Model):
    """A period of this database's history. The newest row is the present one. PostgreSQL uses the same word.

    The first period begins when the database is made. Each later one begins with `restored` and has a new name.
    Machines keep marks under the old name, and these say nothing about the new period. `last_order` and `last_attempt`
    are the newest ids from before the period (0 for the first one). `last_event` is the event from which everybody
    could know about the restore.
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
