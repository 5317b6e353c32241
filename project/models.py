"""Nothing of its own: a name for what django-axes keeps."""

from axes.models import AccessAttempt
from django.utils.translation import gettext_lazy as _


class FailedLogin(AccessAttempt):
    """Log-ins that failed, by account, address and browser. Rows go by themselves when the wait is over."""

    class Meta:
        proxy = True
        verbose_name = _("failed log-in")
        verbose_name_plural = _("failed log-ins")

    def __str__(self):
        return f"{self.username} {self.ip_address or '-'}"
