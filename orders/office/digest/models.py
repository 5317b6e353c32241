"""Models of sent digests, and of the notifications about red items."""

from django.conf import settings
from django.db import models


class Digest(models.Model):
    """A person's digest of a workday. There is at most one per day, even with several workers or a clock that was set
    back."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = []
        constraints = [models.UniqueConstraint(fields=["account", "day"], name="one_digest_a_day")]

    def __str__(self):
        return f"{self.account_id} {self.day}"


class RedWatch(models.Model):
    """The time up to which a person was notified of red items, and the time of the last mail."""

    account = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    told_until = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.account_id)
