"""The alarms, for Prometheus and for mails: severity, summary, and next step.

deploy/prometheus-rules.yml has the metrics that raise each alarm. alarm_reasons.py has the alarm of each fault in
`status`. docs/operations.md has a row for each alarm, which begins with the next step.
"""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.texts.incident_texts import CAUSES, Cause

CRITICAL, WARNING = "critical", "warning"


class Alarm(NamedTuple):
    """An alarm.

    CRITICAL: orders are now unmonitored, not taken in, not sent or not billed. WARNING: this will happen to orders, or
    has happened to one order.

    `summary` and `next` (the next step) are translated when they are shown.
    """

    severity: str
    summary: str | Promise
    next: str | Promise


def _as_incident(severity: str, code: str) -> Alarm:
    cause: Cause = CAUSES[code]
    return Alarm(severity, cause.what, cause.next)


ALARMS = {
    "DeskDown": _as_incident(CRITICAL, "desk_down"),
    "SiteCertificate": _as_incident(CRITICAL, "site_certificate"),
    "DatabaseAway": Alarm(
        CRITICAL,
        _("The database does not answer."),
        _("Have the database started, or the network to it put right. Everything goes on by itself then."),
    ),
    "DatabaseRestored": Alarm(
        CRITICAL,
        _("The database was restored to an earlier state: nothing is taken in or sent."),
        _("Follow the page about restoring. Do not say that it may send again before all its steps are done."),
    ),
    "OrdersNotStored": _as_incident(CRITICAL, "orders_not_stored"),
    "StateFolderBroken": _as_incident(CRITICAL, "state_folder_broken"),
    "DatabaseErrors": _as_incident(CRITICAL, "database_errors"),
    "DeliveryFails": _as_incident(CRITICAL, "delivery_failed"),
    "OtherDesk": _as_incident(CRITICAL, "other_desk"),
    "WorkerDead": Alarm(
        CRITICAL,
        _("No worker has given a sign of life for 2 minutes: nothing is sent."),
        _("Restart the worker; its log says why it stopped."),
    ),
    "IntakeQuiet": _as_incident(CRITICAL, "intake_quiet"),
    "CallsRefused": _as_incident(CRITICAL, "intake_refused"),
    "CallbacksRefused": _as_incident(WARNING, "callbacks_refused"),
    "ClockOff": Alarm(
        CRITICAL,
        _("Our clock differs from BBOSS's, or is not kept right."),
        _("Have the clock put right here, or at BBOSS."),
    ),
    "SlowIntake": _as_incident(WARNING, "slow_intake"),
    "SlowPartner": _as_incident(WARNING, "slow_partner"),
    "PartnerDown": _as_incident(WARNING, "breaker_open"),
    "PartnerRefuses": _as_incident(WARNING, "partner_refuses"),
    "PausedTooLong": _as_incident(WARNING, "partner_paused"),
    "StepsLate": Alarm(
        CRITICAL,
        _("What is due does not go out."),
        _(
            "Look at the worker: restart it if it gives no sign of life. If other orders go out, have the database"
            " looked at for a transaction that nobody ended. Otherwise look at the load of the worker's machine."
        ),
    ),
    "StepKillsWorker": _as_incident(CRITICAL, "step_kills_worker"),
    "TransactionOld": _as_incident(WARNING, "transaction_old"),
    "StepsRetried": Alarm(
        WARNING,
        _("A step has been tried for 30 minutes without success."),
        _("Find it among the attempts, do what its error says, then resend it."),
    ),
    "QueueGrowing": _as_incident(WARNING, "queue_growing"),
    "OrdersStuck": Alarm(
        WARNING,
        _("Orders do not go on by themselves."),
        _("Look at the open incidents, and do what each of them says."),
    ),
    "UnbilledOrders": Alarm(
        CRITICAL,
        _("Orders have service and no billing record."),
        _("Look at the differences and have them put right: nobody pays for what is not billed."),
    ),
    "BooksDiffer": _as_incident(WARNING, "difference"),
    "MailGivenUp": Alarm(
        WARNING,
        _("Mails did not go out and are not tried again."),
        _("Look at the mail's error, have the mail server put right, then resend it."),
    ),
    "ExpiresSoon": Alarm(
        WARNING,
        _("A token or certificate ends within 14 days."),
        _("Have a new one put in place; its name says which."),
    ),
    "Expired": Alarm(
        CRITICAL,
        _("A token of BBOSS or our certificate has ended: calls are refused."),
        _("Have a new one put in place at once."),
    ),
    "BackupOld": _as_incident(WARNING, "backup_old"),
    "ArchiveFails": _as_incident(WARNING, "archive_fails"),
    "AuditStuck": _as_incident(WARNING, "audit_stuck"),
    "DiskNearlyFull": Alarm(
        WARNING,
        _("A disk is nearly full."),
        _("Have room made on it: old backups, logs and exports."),
    ),
    "DatabaseDiskNearlyFull": _as_incident(CRITICAL, "database_disk"),
}
BY_INCIDENT = {"disk_low": "DiskNearlyFull", "partner_paused": "PausedTooLong"}
"""Alarms for which `status` only names an incident. Other incidents are mailed to the people concerned."""
