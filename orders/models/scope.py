"""Which attributions a user may see."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffScope(models.Model):
    """Limits a user to attributions. Without a row the user sees all; a row without attributions shows nothing."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="scope", verbose_name=_("member of staff")
    )
    attributions = models.ManyToManyField("Province", blank=True, verbose_name=_("attributions"))

    class Meta:
        verbose_name = _("staff scope")
        verbose_name_plural = _("staff scopes")
        ordering = ["user"]

    def __str__(self):
        return str(self.user)
