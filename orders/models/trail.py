"""The trail (审计): log-ins, commands, starts and exports, which no other table records (contract 4, AUDIT_DAYS; 5,
`audit`). Also the progress of sending the trail."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


def codes() -> list:
    """Returns the choices of `code`. The migration refers to this function, so a new code needs no migration."""
    return TrailEntry.Code.choices


class TrailEntry(models.Model):
    """An entry of the trail. The database refuses to change the entry, or to delete it before `keep_until`
    (orders/db/trail_guard.py).

    `actor` and `account_id` are the same as in OrderEvent. `actor` is empty for unauthenticated callers. `about`: the
    account or command concerned. `address`: the caller's address, or MACHINE:USER for a command. `data`: details, with
    `from` and `to` for changes.
    """

    class Code(models.TextChoices):
        LOGIN = "login", _("Logged in")
        LOGIN_FAILED = "login_failed", _("Failed to log in")
        LOGIN_LOCKED = "login_locked", _("Log-in locked after failures")
        LOGIN_REFUSED = "login_refused", _("The company log-in's person was not let in")
        LOGOUT = "logout", _("Logged out")
        SESSIONS_ENDED = "sessions_ended", _("Ended sessions")
        PASSWORD_INVITED = "password_invited", _("Was sent a link to set a password")
        PASSWORD_ASKED = "password_asked", _("Asked for a link to set a new password")
        PASSWORD_SET = "password_set", _("Set the password by a link")
        PASSWORD_CHANGED = "password_changed", _("Changed the password")
        COMMAND = "command", _("Ran a command")
        SECRETS_CUT = "secrets_cut", _("Cut secrets from older rows")
        SETTINGS = "settings", _("Started with other settings")
        EXPORT = "export", _("Exported a list")
        EXPORT_JUDGED = "export_judged", _("Judged an export of people's data")
        EXPORT_FETCHED = "export_fetched", _("Fetched the file of an export")
        TRAIL_EXPORT = "trail_export", _("Exported the trail")

    at = models.DateTimeField(_("at"), db_index=True)
    keep_until = models.DateTimeField(_("kept until"))
    actor = models.CharField(_("actor"), max_length=160, blank=True)
    account_id = models.BigIntegerField(null=True, editable=False)
    code = models.CharField(_("act"), max_length=32, choices=codes)
    about = models.CharField(pgettext_lazy("trail", "about"), max_length=200, blank=True)
    address = models.CharField(_("from where"), max_length=200, blank=True)
    data = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = pgettext_lazy("trail", "audit entry")
        verbose_name_plural = pgettext_lazy("trail", "audit")
        ordering = ["pk"]
        default_permissions = ["view"]
        indexes = [
            models.Index(fields=["actor"], name="trail_of_person"),
            models.Index(fields=["about"], name="trail_about"),
        ]

    def __str__(self):
        return f"{self.actor} {self.code} {self.about}".strip()


class TrailSending(models.Model):
    """The progress of sending the trail to AUDIT_SYSLOG (a single row).

    `entries`, `events`, `journal`: the last id of each source that was sent or skipped. `failing_since`, `error`: the
    start and reason of a failure of the server. Without a failure they are None and empty.
    """

    entries = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    journal = models.BigIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        default_permissions = []

    def __str__(self):
        return f"{self.entries} {self.events} {self.journal}"
