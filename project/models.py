"""The failed log-ins of django-axes under a name of our own."""

from axes.models import AccessAttempt
from django.utils.translation import gettext_lazy as _


class FailedLogin(AccessAttempt):
    """Failed log-ins by account, address and browser. Rows disappear by themselves when the waiting time is over."""

    class Meta:
        proxy = True
        verbose_name = _("failed log-in")
        verbose_name_plural = _("failed log-ins")

    def __str__(self):
        return f"{self.username} {self.ip_address or '-'}"
