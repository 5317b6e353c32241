"""Contacts, who receive mail, and the mails that were written."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Contact(models.Model):
    """A person responsible for an attribution. JT and GJ share the group-customer SA unless each has its own."""

    class Role(models.TextChoices):
        SA = "sa", _("SA")
        COPY = "copy", _("Gets a copy")

    name = models.CharField(_("name"), max_length=128)
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
        return f"{self.attribution_id} {self.get_role_display()} {self.pk}"


class Mail(models.Model):
    """A mail as it was written at its first attempt: one mail, all recipients, one Message-ID for all attempts."""

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
        return self.subject
