"""Reference data that a site may correct: service types and provinces (contract 3.1)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ServiceType(models.Model):
    """A CDN service type, with BPM's name for it."""

    code = models.CharField(_("code"), max_length=8, primary_key=True)
    cdn_type = models.CharField(_("CDN type at BPM"), max_length=32)
    plains = models.JSONField(_("plains at BPM"), default=list, help_text=_('a list of strings, such as ["0"]'))

    class Meta:
        verbose_name = _("service type")
        verbose_name_plural = _("service types")
        ordering = ["code"]

    def __str__(self):
        return f"{self.code} {self.cdn_type}"


class Province(models.Model):
    """An attribution: a province, the group (JT) or international (GJ)."""

    letters = models.CharField(_("letters"), max_length=4, primary_key=True)
    code = models.CharField(_("code"), max_length=8, unique=True, help_text=_("billing's province"))
    name = models.CharField(_("name"), max_length=32)

    class Meta:
        verbose_name = _("attribution")
        verbose_name_plural = _("attributions")
        ordering = ["code"]

    def __str__(self):
        return self.name
