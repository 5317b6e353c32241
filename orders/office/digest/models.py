"""Sent digests, and how far a person was told of what turned red."""

from django.conf import settings
from django.db import models


class Digest(models.Model):
    """A person's digest of a workday: there is at most one, whoever writes it and whatever the clock does."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = []
        constraints = [models.UniqueConstraint(fields=["account", "day"], name="one_digest_a_day")]

    def __str__(self):
        return f"{self.account_id} {self.day}"


class RedWatch(models.Model):
    """Up to which moment a person was told of what turned red, and when the last mail was written."""

    account = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    told_until = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.account_id)
