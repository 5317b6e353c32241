"""Contacts, who receive mail; the mails about orders, and the notices to staff."""

import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.masks import mask_text

TOLD_FOR = datetime.timedelta(days=7)  # so long status and dashboard count a notice that was given up


class Contact(models.Model):
    """A person responsible for an attribution. JT and GJ share the group-customer SA unless each has its own."""

    class Role(models.TextChoices):
        SA = "sa", _("SA")
        COPY = "copy", _("Gets a copy")

    name = models.CharField(pgettext_lazy("person", "name"), max_length=128)
    mail = models.EmailField(_("mail"))
    tel = models.CharField(_("phone"), max_length=64, blank=True)
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.SA)
    attribution = models.ForeignKey(
        "orders.Province", models.PROTECT, related_name="+", db_index=False, verbose_name=_("attribution")
    )  # the constraint's index begins with it
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["attribution", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["attribution", "mail"], name="one_contact_per_attribution_and_mail")
        ]

    def __str__(self):
        """Titles and logs show this text, so it contains no name."""
        return f"{self.attribution} {self.get_role_display()} {self.pk}"


class Mail(models.Model):
    """A mail as it was written at its first attempt. Each recipient gets it alone, with one Message-ID for all."""

    order = models.ForeignKey("orders.Order", models.PROTECT, null=True, related_name="mails", verbose_name=_("order"))
    dispatch = models.OneToOneField("orders.Dispatch", models.PROTECT, related_name="mail", verbose_name=_("dispatch"))
    kind = models.CharField(_("kind"), max_length=32)
    message_id = models.CharField(_("Message-ID"), max_length=255, unique=True)
    recipients = models.JSONField(_("recipients"), default=list)
    subject = models.CharField(_("subject"), max_length=255)
    body = models.TextField(_("text"))
    written_at = models.DateTimeField(_("written at"))

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-pk"]

    def __str__(self):
        """Titles and logs show this text. Older subjects hold what somebody wrote, so it is masked."""
        return mask_text(self.subject)


class NoticeQuerySet(models.QuerySet):
    def given_up(self, now) -> "NoticeQuerySet":
        """What did not go out and nobody has sent again. Older ones are history."""
        return self.filter(state=Notice.State.FAILED, written_at__gte=now - TOLD_FOR)

    def due(self, now) -> "NoticeQuerySet":
        """What may be sent now, the longest due first; what a sender left behind too, once its lease has run out."""
        return self.filter(next_try_at__lte=now).order_by("next_try_at", "pk")


class Notice(models.Model):
    """A mail to members of staff that is about no order. It is its own outbox: one Message-ID for all attempts.

    `next_try_at` is when it may be sent, and while it is sent, when its lease ends; null once nothing is to be done.
    `attempts` counts since it was put in, or put in again by a person. `error_params` is a code with parameters.
    """

    class State(models.TextChoices):
        DUE = "due", _("Due")
        SENDING = "sending", _("Being sent")
        RETRYING = "retrying", _("Retrying")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    kind = models.CharField(_("kind"), max_length=32)
    message_id = models.CharField(_("Message-ID"), max_length=255, unique=True)
    recipients = models.JSONField(_("recipients"), default=list)
    subject = models.CharField(_("subject"), max_length=255)
    body = models.TextField(_("text"))
    written_at = models.DateTimeField(_("written at"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DUE)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=32, blank=True)
    error = models.TextField(_("error"), blank=True)
    error_params = models.JSONField(default=dict, blank=True, editable=False)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice to staff")
        verbose_name_plural = _("notices to staff")
        ordering = ["-pk"]
        default_permissions = ["view"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["sent", "failed"], next_try_at__isnull=True)
                | models.Q(state__in=["due", "sending", "retrying"], next_try_at__isnull=False),
                name="notice_open_or_over",
            )
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="notice_due", condition=models.Q(next_try_at__isnull=False))
        ]

    def __str__(self):
        """Titles and logs show this text. Older subjects hold what somebody wrote, so it is masked."""
        return mask_text(self.subject)
