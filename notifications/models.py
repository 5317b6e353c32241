"""The contacts who receive mail, the rules for recipients, and all mails."""

import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.masks import mask_text

FAILURES_SHOWN_FOR = datetime.timedelta(days=7)  # how long status and dashboard count a failed mail to staff


class Contact(models.Model):
    """A contact for an attribution. If JT or GJ has none, it uses the contacts of the other: the group-customer SA."""

    class Role(models.TextChoices):
        SA = "sa", _("SA")
        COPY = "copy", _("Gets a copy")

    name = models.CharField(pgettext_lazy("person", "name"), max_length=128)
    mail = models.EmailField(_("mail"))
    tel = models.CharField(_("phone"), max_length=64, blank=True)
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.SA)
    attribution = models.ForeignKey(
        "orders.Province", models.PROTECT, related_name="+", db_index=False, verbose_name=_("attribution")
    )  # the constraint's index starts with it
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["attribution", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["attribution", "mail"], name="one_contact_per_attribution_and_mail")
        ]

    def __str__(self):
        """Returns attribution, role and id, for titles and logs. Titles and logs must not contain the person's name."""
        return f"{self.attribution} {self.get_role_display()} {self.pk}"


class MailRule(models.Model):
    """A rule for recipients. It replaces the SA contacts and copies of an attribution.

    `notifications/contacts_and_recipients.py` applies the rules. An empty `attribution`, `event` or `order_kind` stands
    for all. `event` is the kind of a mail. `order_kind` is the kind of an order. If a rule has no recipients, the mail
    is not sent.
    """

    attribution = models.ForeignKey(
        "orders.Province",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("attribution"),
        db_index=False,  # the constraint's index starts with it
    )
    event = models.CharField(_("event"), max_length=32, blank=True)
    order_kind = models.CharField(_("order kind"), max_length=16, blank=True)
    to_sa = models.BooleanField(_("to the SA contacts"), default=True)
    to_copies = models.BooleanField(_("to those who get copies"), default=True)
    to_default = models.BooleanField(_("to the default contact"), default=False)
    role = models.ForeignKey(
        "auth.Group", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("to a role's accounts")
    )
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("to a contact")
    )

    class Meta:
        verbose_name = _("mail rule")
        verbose_name_plural = _("mail rules")
        ordering = ["attribution", "event", "order_kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["attribution", "event", "order_kind"],
                name="one_mail_rule_per_scope",
                violation_error_message=_("There is a rule for exactly these mails already. Change that one."),
            ),
            models.UniqueConstraint(
                fields=["event", "order_kind"],
                condition=models.Q(attribution=None),
                name="one_mail_rule_for_all_places",
                violation_error_message=_("There is a rule for exactly these mails already. Change that one."),
            ),
        ]

    def __str__(self):
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def scope(self) -> tuple[str, str, str]:
        """Returns (attribution, event, kind of order) to which the rule applies. An empty item stands for all."""
        return self.attribution_id or "", self.event, self.order_kind

    @property
    def weight(self) -> tuple[bool, ...]:
        """Returns the rule's priority. Of the applicable rules, the rule with the highest value decides."""
        return tuple(map(bool, self.scope))

    @property
    def is_empty(self) -> bool:
        return not (self.to_sa or self.to_copies or self.to_default or self.role_id or self.contact_id)


HAS_FAILED = models.Func(
    models.F("state"), template="%(expressions)s = 'failed'", output_field=models.BooleanField()
)  # literal in the SQL, as in the condition of the index `mail_given_up` (orders/db/indexes.py)


class MailQuerySet(models.QuerySet):
    def open(self) -> "MailQuerySet":
        """Returns the mails that may be sent, now or later."""
        return self.filter(next_try_at__isnull=False)

    def due(self, now) -> "MailQuerySet":
        """Returns the mails that may be sent now. Includes mails that are being sent under an expired lease."""
        return self.filter(next_try_at__lte=now)

    def given_up(self) -> "MailQuerySet":
        """Returns the failed mails that nobody has sent again."""
        return self.filter(HAS_FAILED)

    def without_history(self, now) -> "MailQuerySet":
        """Excludes mails to staff that a version before 1.8.0 wrote more than FAILURES_SHOWN_FOR ago. Such mails have
        neither an order nor a cause."""
        return self.exclude(order=None, cause="", written_at__lt=now - FAILURES_SHOWN_FOR)

    def to_staff(self) -> "MailQuerySet":
        """Returns the mails without an order, which go to staff or to the default contact."""
        return self.filter(order=None)

    def beside_steps(self) -> "MailQuerySet":
        """Returns the mails shown on an order's page. Excludes mails to staff, copies, and mails without a cause."""
        return self.filter(order__isnull=False, addressee="").exclude(cause="")


class Mail(models.Model):
    """A mail and its state in its own outbox (contract 3.12). All attempts have the same Message-ID.

    A mail is stored in the transaction of its cause. There is at most one mail with the same order (or none), kind,
    cause and addressee. This limit does not apply to mails without a cause. Recipients and text are set at creation, or
    else at the first attempt, from `about`. They do not change afterwards. Each recipient gets a separate copy.

    `fate` has the sender's address (`from`), and the addresses that `got` the mail or for which it was `refused`.

    `next_try_at` is the time from which the mail may be sent. While the mail is being sent, it is the end of the lease.
    Once the mail is finished, it is null. `attempts` is the number of all attempts. `tries_left` is the number of
    remaining scheduled attempts. `lost` is the number of consecutive attempts at the end whose worker died.

    A closed mail is never sent. Either its cause had ended before, or a version before 1.8.0 planned the mail and the
    order was then undone or planned again.
    """

    class State(models.TextChoices):
        DUE = "due", pgettext_lazy("mail", "Due")
        SENDING = "sending", _("Being sent")
        RETRYING = "retrying", _("Retrying")
        DONE = "done", _("Sent")
        FAILED = "failed", _("Failed")
        CLOSED = "closed", _("Closed")

    order = models.ForeignKey("orders.Order", models.PROTECT, null=True, related_name="mails", verbose_name=_("order"))
    kind = models.CharField(_("kind"), max_length=32)
    cause = models.CharField(_("cause"), max_length=64, default="", db_default="", blank=True, editable=False)
    addressee = models.CharField(max_length=254, default="", db_default="", blank=True, editable=False)  # of staff only
    about = models.JSONField(_("what it is about"), default=dict, db_default={}, blank=True, editable=False)
    message_id = models.CharField(_("Message-ID"), max_length=255, unique=True)
    recipients = models.JSONField(_("recipients"), default=list)
    chosen = models.JSONField(null=True, editable=False)  # the rule and each recipient's role: `recipients.Choice.kept`
    subject = models.CharField(_("subject"), max_length=255, blank=True)
    body = models.TextField(_("text"), blank=True)
    account_id = models.BigIntegerField(null=True, editable=False)  # the user whose log-in link is added at sending
    written_at = models.DateTimeField(_("written at"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DUE, db_default=State.DUE)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, db_default=0)
    tries_left = models.PositiveSmallIntegerField(_("retries left"), null=True, blank=True)
    lost = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    frozen_at = models.DateTimeField(_("first attempted at"), null=True, blank=True)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    fate = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    definite = models.BooleanField(_("definitely answered"), default=False, db_default=False)
    error_code = models.CharField(_("error code"), max_length=32, default="", db_default="", blank=True)
    error = models.TextField(_("error"), default="", db_default="", blank=True)
    error_params = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-pk"]
        permissions = [("view_notice", "Can view mails to staff")]
        constraints = [  # its other indexes are in orders/db/indexes.py
            models.UniqueConstraint(
                fields=["order", "kind", "cause", "addressee"], name="mail_once", condition=~models.Q(cause="")
            ),
            models.UniqueConstraint(
                fields=["kind", "cause", "addressee"],
                name="mail_of_no_order_once",
                condition=models.Q(order=None) & ~models.Q(cause=""),
            ),
        ]

    def __str__(self):
        """Returns the masked subject, for titles and logs. Subjects of old mails contain free text."""
        return mask_text(self.subject)

    # Reports read these attributes from both steps and mails.

    channel = "mail"

    @property
    def step(self) -> str:
        return self.kind
