"""Signs of life of the clusters that carry the work."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """When a cluster last carried out a task. The watchdog and /readyz read it (contract 3.9, Alive)."""

    cluster = models.CharField(_("cluster"), max_length=64, primary_key=True)
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("last sign of life"))
    replaced = models.PositiveIntegerField(_("times replaced"), default=0)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        ordering = ["cluster"]

    def __str__(self):
        return self.cluster


class Turn(models.Model):
    """Whose turn it is at a thing that one worker does at a time, until when. A plain lease."""

    name = models.CharField(max_length=32, primary_key=True)
    holder = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")

    def __str__(self):
        return self.name
