"""Accounts: the people who work at the desk, and failed log-ins."""

from axes.models import AccessAttempt
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person's account. Pages show the display name; events store the user name, which stays the same.

    A limited user sees the orders of the account's attributions, and none if there are none (`orders/admin/scope.py`).
    """

    first_name = None
    last_name = None
    display_name = models.CharField(
        _("display name"), max_length=64, blank=True, help_text=_("what pages call this person; else the user name")
    )
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    limited = models.BooleanField(
        _("limited to attributions"),
        default=False,
        help_text=_("sees only orders of the attributions below; without any, sees none"),
    )
    attributions = models.ManyToManyField(
        "orders.Province", blank=True, related_name="+", verbose_name=_("attributions")
    )
    away_until = models.DateField(_("away until"), null=True, blank=True)
    deputy = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("deputy")
    )

    def __str__(self):
        return self.display_name or self.username

    def clean(self):
        super().clean()
        if self.deputy_id is not None and self.deputy_id == self.pk:
            raise ValidationError({"deputy": _("Somebody else must be the deputy.")})

    def get_full_name(self):
        """Empty where there is none: Django's pages then show the user name alone."""
        return self.display_name

    def get_short_name(self):
        return self.display_name


class FailedLogin(AccessAttempt):
    """Failed log-ins by account, address and browser. Rows disappear by themselves when the waiting time is over."""

    class Meta:
        proxy = True
        verbose_name = _("failed log-in")
        verbose_name_plural = _("failed log-ins")

    def __str__(self):
        return f"{self.username} {self.ip_address or '-'}"
