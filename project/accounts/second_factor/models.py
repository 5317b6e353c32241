"""An account's authenticator app, and its recovery codes. Without the app there are no codes."""

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin

MOST_FAILURES_IN_A_ROW = 6


class AuthenticatorApp(TimestampMixin, ThrottlingMixin, Device):
    """`secret`: encrypted by MFA_KEY. `last_step`: the time step of the code that counted last, as RFC 6238 counts.

    After wrong codes the next one counts only 1, 2, 4 … 32 seconds later, and never more: the owner gets in too.
    """

    name = confirmed = None  # of django-otp's devices: an account has one app, and a row only once a code was right
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="authenticator")
    secret = models.TextField()
    last_step = models.BigIntegerField()

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.user_id)

    def get_throttle_factor(self):
        return 1

    def throttle_increment(self, commit=True):
        """Writes its own columns alone: django-otp writes the whole row, and `last_step` as it was when it was read."""
        self.throttling_failure_count = min(self.throttling_failure_count, MOST_FAILURES_IN_A_ROW - 1)
        super().throttle_increment(commit=False)
        if commit:
            self.save(update_fields=["throttling_failure_count", "throttling_failure_timestamp"])


class RecoveryCode(models.Model):
    """A code that counts once in place of the app's: its SHA-256. The row goes when it is used."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes")
    hash = models.CharField(max_length=64)

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.pk)
