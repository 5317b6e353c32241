"""Messages of the inbox (contract 3.13)."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Message(models.Model):
    """Tells an account about an event that concerns the account. A reminder has a moment `at` in the future until its
    day.

    The text is made from the event when the message is read, as far as the reader may see the row that the message is
    about. `model` and `row` identify that row: the name of a model of this app and an id.
    """

    class Kind(models.TextChoices):
        OWNER = "owner", _("Handed over")
        MENTION = "mention", _("Mentioned")
        ASKED = "asked", _("To be confirmed")
        CHANGED = "changed", _("Mine, changed")
        WATCHED = "watched", _("Watched, changed")
        REMINDER = "reminder", _("Reminder")

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind)
    event = models.ForeignKey("OrderEvent", models.PROTECT, related_name="+", db_index=False)  # events stay for good
    model = models.CharField(max_length=32)
    row = models.BigIntegerField()
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions: list[str] = []
        constraints = [models.UniqueConstraint(fields=["recipient", "event"], name="one_message_an_event")]
        indexes = [
            models.Index(fields=["recipient", "at"], name="message_unread", condition=models.Q(read_at=None)),
            models.Index(fields=["at"], name="message_age"),
        ]

    def __str__(self):
        return f"{self.recipient_id} {self.kind} {self.model} {self.row}"
