"""Heartbeats, processes, lease locks, breakers, callbacks, uses of old secrets, alerts of robots, and API tokens."""

import datetime

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from orders.rules.four_eyes_acts import EXPORT, is_asked

HEARTBEAT_LIMIT = datetime.timedelta(minutes=2)  # a cluster without a heartbeat for longer counts as dead


class Heartbeat(models.Model):
    """The time of a cluster's last task. The watchdog and /readyz read it (contract 3.9, Alive)."""

    cluster = models.CharField(_("cluster"), max_length=64, primary_key=True)
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("last sign of life"))
    replaced = models.PositiveIntegerField(_("times replaced"), default=0)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        ordering = ["cluster"]

    def __str__(self):
        return self.cluster

    @property
    def has_ended(self) -> bool:
        """Returns True if a silent cluster was shut down normally (`note_shutdown` in
        integrations/worker/heartbeat.py)."""
        return self.started_at == self.seen_at


class DeskProcess(models.Model):
    """A worker or web process, with the addresses and identities of its calls (integrations/base/other_desk.py).

    The row named IN_FORCE has the desk's values. `works` is True for workers. `differs` lists the settings that differ
    from the desk's settings.
    """

    name = models.CharField(max_length=64, primary_key=True)
    calls = models.JSONField()
    differs = models.JSONField(default=list)
    works = models.BooleanField(default=False)
    machine = models.CharField(max_length=64, blank=True)
    pid = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = []

    def __str__(self):
        return self.name


class LeaseLock(models.Model):
    """A lease on work that only one worker may do at a time (integrations/worker/lease_lock.py)."""

    name = models.CharField(max_length=32, primary_key=True)
    holder = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("lease lock")
        verbose_name_plural = _("lease locks")

    def __str__(self):
        return self.name


class Breaker(models.Model):
    """The state of a partner's circuit breaker, shared by all workers (contract 3.5)."""

    partner = models.CharField(_("partner"), max_length=16, primary_key=True)
    failures = models.PositiveIntegerField(_("transport failures in a row"), default=0)
    dispatches = models.JSONField(_("dispatches that failed"), default=list)
    opened_at = models.DateTimeField(_("open since"), null=True, blank=True)
    probe_at = models.DateTimeField(_("next probe"), null=True, blank=True)
    failing_since = models.DateTimeField(null=True, editable=False)  # the time at which the first failure was counted
    last_code = models.CharField(_("error code"), max_length=32, null=True, blank=True, editable=False)  # noqa: DJ001
    last_error = models.TextField(_("last error"), blank=True)  # as logged, beginning with the error code

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        ordering = ["partner"]
        permissions = [("probe_partners", "Can make test calls")]

    def __str__(self):
        return self.partner


class BpmCallback(models.Model):
    """A callback of BPM that was refused, or that waits until an order has its process id (contract 3.6).

    `body` is the beginning of the message, with secrets masked. `signed` is True if the caller was authenticated. While
    the callback waits, `record` is the parsed record. After the callback was applied, and for a refused callback,
    `record` is null.
    """

    received_at = models.DateTimeField(_("received at"), db_index=True)
    remote_address = models.CharField(_("sender's address"), max_length=64, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"))
    why = models.TextField(_("why"), blank=True)
    order_number = models.CharField(_("order number"), max_length=64, blank=True, db_index=True)
    process = models.CharField(_("BPM process"), max_length=128, blank=True)
    signed = models.BooleanField(_("signed"))
    body = models.TextField(_("message"), blank=True)
    length = models.PositiveIntegerField(_("length in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    record = models.JSONField(null=True, editable=False)
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)

    class Meta:
        verbose_name = _("BPM callback")
        verbose_name_plural = _("BPM callbacks")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["process"], condition=models.Q(record__isnull=False), name="callback_waiting"),
        ]

    def __str__(self):
        return f"{self.http_status} {self.order_number or self.process}"


class SecretUse(models.Model):
    """The last use of an old secret (integrations/base/old_secrets.py). `name` has the secret's setting and hash."""

    name = models.CharField(max_length=64, primary_key=True)
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = []

    def __str__(self):
        return self.name


class ToldIncident(models.Model):
    """An open incident that was reported to robots. `orders` is the number of stopped orders at the last alert."""

    incident = models.OneToOneField("orders.Incident", models.CASCADE, primary_key=True, related_name="+")
    orders = models.PositiveIntegerField()

    class Meta:
        default_permissions = []

    def __str__(self):
        return str(self.incident_id)


class RobotAlert(models.Model):
    """An alert for robots about a change of an incident (integrations/robots/send_alerts.py)."""

    class Event(models.TextChoices):
        """The changes, in descending order of severity."""

        OPENED = "opened"
        GROWN = "grown"
        OVER = "over"

    incident = models.ForeignKey("orders.Incident", models.CASCADE, related_name="+")
    event = models.CharField(max_length=8, choices=Event.choices)
    orders = models.PositiveIntegerField()
    is_ignored = models.BooleanField(default=False)
    at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = []

    def __str__(self):
        return f"{self.event} {self.incident_id}"


class RobotState(models.Model):
    """The last alert sent to a robot, and the results of its last calls.

    `key` is a hash of the robot's address, which is secret. `heard` is the id of the last alert. `calls` are the times
    of the calls within the last minute, in seconds since 1970.
    """

    key = models.CharField(max_length=64, primary_key=True)
    heard = models.BigIntegerField()
    calls = models.JSONField(default=list)
    failures = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=64, blank=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []

    def __str__(self):
        return self.key[:8]


class ApiToken(models.Model):
    """A token with which another system reads orders (integrations/api). Only the hash of the token is stored.

    `begins` are the token's first characters, for recognition by people. A `limited` token reads only orders of its
    attributions. `maker_id` is the account that created the token. `judge_id` is the account that agreed to personal
    data.
    """

    system = models.CharField(_("system"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    begins = models.CharField(_("begins with"), max_length=12, editable=False)
    limited = models.BooleanField(_("limited to attributions"), default=False)
    attributions = models.ManyToManyField(
        "orders.Province", blank=True, related_name="+", verbose_name=_("attributions")
    )
    personal = models.BooleanField(_("with personal data"), default=False)
    valid_until = models.DateField(_("valid until"))
    made_by = models.CharField(_("issued by"), max_length=160, editable=False)
    maker_id = models.BigIntegerField(null=True, editable=False)
    made_at = models.DateTimeField(_("made at"), editable=False)
    judged_by = models.CharField(_("second person"), max_length=160, null=True, editable=False)  # noqa: DJ001
    judge_id = models.BigIntegerField(null=True, editable=False)
    judged_at = models.DateTimeField(_("agreed at"), null=True, editable=False)
    revoked_by = models.CharField(_("revoked by"), max_length=160, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-pk"]
        default_permissions = ["view", "add"]
        permissions = [("revoke_apitoken", "Can revoke API tokens")]
        constraints = [
            models.UniqueConstraint(
                Lower("system"), condition=models.Q(revoked_at__isnull=True), name="one_unrevoked_token_per_system"
            )
        ]

    def __str__(self):
        return f"{self.system} {self.begins}"

    @property
    def waits(self) -> bool:
        """Returns True if the token may not read personal data yet, because a second person must agree first."""
        return self.personal and self.judged_at is None and is_asked(EXPORT)

    def is_valid(self, today: datetime.date) -> bool:
        """Returns True if the token is neither revoked nor past its last day."""
        return self.revoked_at is None and today <= self.valid_until
