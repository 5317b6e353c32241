"""What a database knows of its own past: the stretches of its history between restores (contract 3.9, 17; 5)."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


def new_name() -> str:
    """A random name, which no other database has."""
    return uuid.uuid4().hex


class Timeline(models.Model):
    """A stretch of this database's history; the newest row is the present one. (PostgreSQL's word for the same.)

    The first begins when the database is made, each other one with `restored`, under a new name: marks that machines
    keep of the old name say nothing about what comes after. `last_order` and `last_attempt` are the newest
    ids of what came from before it (0 for the first), `last_event` the event from which on everybody could know that
    the database was restored.
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
        _("how that is known"), default=dict, blank=True,
        help_text=_("machine; newest: the event it has; seen: the event that the machine had seen; backup"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("stretch between restores")
        verbose_name_plural = _("stretches between restores")
        ordering = ["pk"]
        permissions = [("release_restored", "Can say that a restored desk may send again")]

    def __str__(self):
        return self.name
