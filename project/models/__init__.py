"""Models of accounts, log-ins and sessions, and of open alarms."""

import datetime

from axes.models import AccessAttempt
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin, TimestampMixin

from orders.history.actors import COMMAND

NAME_USED = _("An account has or had this user name. Choose another one: each belongs to one person for good.")
PASSWORDS_KEPT = 5
MAX_CONSECUTIVE_FAILURES = 6


class UsedName(models.Model):
    """A user name that an account has or had. No other account ever gets it, because rows refer to accounts by user
    name."""

    name = models.CharField(_("user name"), max_length=150, primary_key=True)

    class Meta:
        verbose_name = _("used user name")
        verbose_name_plural = _("used user names")
        default_permissions = []

    def __str__(self):
        return self.name


class User(AbstractUser):
    """A person's account. Pages show the display name. Rows store the id and the user name, which never changes.

    Accounts are disabled and never deleted. A limited user sees the orders of the account's attributions. If the
    account has no attributions, the user sees no orders (`orders/lists/scope.py`).
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
    away_from = models.DateField(_("away from"), null=True, blank=True)
    away_until = models.DateField(_("away until"), null=True, blank=True)
    deputy = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("deputy")
    )

    digest = models.BooleanField(
        _("mail of what waits"),
        null=True,
        blank=True,
        help_text=_("a mail each workday morning, and one when something turns red that nobody has"),
    )  # None: the role's default (orders/office/digest)

    # {giver: time when it last created this account, or gave it rights or a log-in}. A giver is the id of another
    # account, `command` (the machine's command line) or `company` (the company log-in, if it created the account).
    given_by = models.JSONField(null=True, editable=False)
    password_set_at = models.DateTimeField(
        db_default=Now(), editable=False
    )  # for passwords from before 1.7: the time of the upgrade

    def __str__(self):
        return self.display_name or self.username

    def save(self, *args, **kwargs):
        """Raises ValidationError if a new account has a user name that was used before, or if a user name is changed.

        Stores the time and the hash of a new password. If Django saves `password` alone, it has only hashed the same
        password again, and nothing is stored.
        """
        using = kwargs.get("using") or router.db_for_write(User, instance=self)
        fields = kwargs.get("update_fields")
        with transaction.atomic(using=using):
            if self._state.adding:
                self._keep_name(using)
            elif fields is None or {"username", "password_set_at"} & set(fields):
                stored = User.objects.using(using).filter(pk=self.pk).values_list("username", "password").first()
                self._compare(*stored or (self.username, self.password), using)
            super().save(*args, **kwargs)

    def _compare(self, username: str, password: str, using: str) -> None:
        if username != self.username:
            raise ValidationError({"username": _("A user name never changes.")})
        if password == self.password:
            return
        self.password_set_at = timezone.now()
        if is_password_usable(password):
            rows = UsedPassword.objects.using(using).filter(user=self)
            rows.create(user=self, password=password)
            rows.exclude(pk__in=rows.order_by("-pk").values_list("pk", flat=True)[:PASSWORDS_KEPT]).delete()

    def _keep_name(self, using: str) -> None:
        try:
            with transaction.atomic(using=using):
                UsedName.objects.using(using).create(name=self.username)
        except IntegrityError as error:
            raise ValidationError({"username": NAME_USED}) from error

    def note_given(self, by: "User | None", *, now: datetime.datetime) -> None:
        """Stores another account, or the machine's command line (None), as a giver of this account (contract 3.11).
        Locks the account, so that simultaneous calls don't overwrite each other's givers."""
        if by == self:
            return
        with transaction.atomic():
            row = User.objects.select_for_update(no_key=True).get(pk=self.pk)
            self.given_by = {**(row.given_by or {}), str(by.pk) if by else COMMAND: now.isoformat()}
            User.objects.filter(pk=self.pk).update(given_by=self.given_by)

    def clean(self):
        super().clean()
        if self._state.adding and UsedName.objects.filter(name=self.username).exists():
            raise ValidationError({"username": NAME_USED})
        if self.deputy_id is not None and self.deputy_id == self.pk:
            raise ValidationError({"deputy": _("Somebody else must be the deputy.")})

    def get_full_name(self):
        """Returns the display name. If the display name is empty, Django's pages show the user name alone."""
        return self.display_name

    def get_short_name(self):
        return self.display_name


class UsedPassword(models.Model):
    """The hash of one of an account's last PASSWORDS_KEPT passwords."""

    user = models.ForeignKey(User, models.CASCADE, related_name="used_passwords")
    password = models.CharField(max_length=128)

    class Meta:
        default_permissions = []


class CompanyAccount(models.Model):
    """The link of an account to a person of the company log-in, by `iss` and `sub` of the ID token.

    A row without a subject is a pending link. The first log-in with this verified mail address, up to the time `until`,
    is linked to the account.
    """

    user = models.OneToOneField(User, models.CASCADE, related_name="company")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    mail = models.EmailField(blank=True)
    until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=~models.Q(subject=""), name="one_account_for_a_person"
            ),
            models.CheckConstraint(
                condition=~models.Q(subject="") | models.Q(until__isnull=False), name="joined_or_waiting"
            ),
        ]

    def __str__(self):
        return f"{self.user_id} {self.subject or self.mail}"


class EmergencyAccount(models.Model):
    """Marks an account that may log in with its password if PASSWORD_LOGIN is emergency.

    `link` is the SHA-256 of the key of a single-use link that sets the password. The link is valid until `link_until`.
    If there is no link, `link` is empty.
    """

    user = models.OneToOneField(User, models.CASCADE, related_name="emergency")
    marked_at = models.DateTimeField()
    link = models.CharField(max_length=64, blank=True)
    link_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []


class AccountSession(models.Model):
    """The user of a session, because Django's table can't be queried by user.

    Django's table stays unchanged, so that the previous version can use the sessions too. There is no constraint
    (`db_constraint`), so a session that Django deletes leaves its row here. The worker deletes such rows.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    session = models.OneToOneField("sessions.Session", models.CASCADE, related_name="of", db_constraint=False)

    class Meta:
        default_permissions = []


class AuthenticatorApp(TimestampMixin, ThrottlingMixin, Device):
    """The authenticator app of an account. `secret` is encrypted with MFA_KEY. `last_step` is the time step (RFC 6238)
    of the last accepted code.

    After each wrong code, the next code is accepted only after 1, 2, 4 … 32 seconds. The wait does not grow further, so
    that the owner is not locked out.
    """

    name = confirmed = None  # fields of django-otp: an account has one app, and a row exists only after a valid code
    user = models.OneToOneField(User, models.CASCADE, related_name="authenticator")
    secret = models.TextField()
    last_step = models.BigIntegerField()

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.user_id)  # django-otp's text contains the user name

    def get_throttle_factor(self):
        return 1

    def throttle_increment(self, commit=True):
        """Counts a wrong code. Writes only the columns of the count. django-otp would also write an outdated
        `last_step`."""
        self.throttling_failure_count = min(self.throttling_failure_count, MAX_CONSECUTIVE_FAILURES - 1)
        super().throttle_increment(commit=False)
        if commit:
            self.save(update_fields=["throttling_failure_count", "throttling_failure_timestamp"])


class RecoveryCode(models.Model):
    """The SHA-256 of a single-use code that replaces a code of the app. The row is deleted when the code is used or the
    app is deleted."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    hash = models.CharField(max_length=64)

    class Meta:
        default_permissions = []


class FailedLogin(AccessAttempt):
    """Failed log-ins by user name, address and browser. django-axes deletes the rows after AXES_COOLOFF_TIME."""

    class Meta:
        proxy = True
        verbose_name = _("failed log-in")
        verbose_name_plural = _("failed log-ins")

    def __str__(self):
        return f"{self.username} {self.ip_address or '-'}"


class OpenAlarm(models.Model):
    """An open alarm (project/observability/alarm_texts.py). When the alarm ends, the row is deleted."""

    name = models.CharField(max_length=32)
    about = models.CharField(max_length=128, blank=True)
    opened_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []
        constraints = [models.UniqueConstraint(fields=["name", "about"], name="one_open_alarm")]

    def __str__(self):
        return f"{self.name} {self.about}".strip()
