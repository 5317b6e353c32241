"""Detects failures that nobody reports.

Examples are missing calls of BBOSS, missing backups, or a STATE_DIR that can't be written.

While a failure lasts, it is an incident of the desk. `status`, mails, robots and a Prometheus rule use the same name
for the failure (table in docs/operations.md). A worker checks each minute (looks.py), and `status` checks at each call.
"""

import datetime
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline, error_line
from integrations.base.orders_not_stored import orders_not_stored_lately
from notifications.models import Mail
from orders.incidents.desk_incidents import DESK, keep_desk_incident, keep_own_incident
from orders.models import Dispatch, InboundMessage, Incident, Timeline
from orders.models.querysets import UNRESOLVED
from orders.restore.detect_restore import read_restore_state
from orders.restore.mark_file import unwritable
from project.database.backup import last_backup
from project.observability import last_hour
from project.observability.readiness import write_try
from project.observability.site_probe import DESK_DOWN, SITE_CERTIFICATE

log = logging.getLogger(__name__)
BACKUP_WITHIN = datetime.timedelta(hours=30)
LOST_IN_A_ROW = 2  # a single loss may be a manual kill
LEAST_INODES = 1000
MAX_NOT_STORED, RECENT_SECONDS = 5, 120  # 20000 responses without an alarm; seconds for which the last one is recent
LOCAL_HOSTS, POSTGRESQL = {"127.0.0.1", "::1", "localhost"}, Path("/var/lib/postgresql")
FREE_SHARE, MOST_FREE = 0.15, 10 * 2**30  # share and bytes; a disk with more free space than either is not nearly full
IDLE_FOR, OPEN_FOR = "60 seconds", "30 minutes"  # longest idle and active transactions
OLDEST_TRANSACTION = """
SELECT pid, usename, application_name, xact_start, state, upper(substring(query FROM '^\\s*([[:alpha:]]+)'))
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    AND application_name <> 'pg_dump' AND pid <> pg_backend_pid()
    AND xact_start < now() - CASE WHEN state LIKE 'idle in transaction%%' THEN %s ELSE %s END::interval
ORDER BY xact_start LIMIT 1"""
FAILING_ARCHIVER = """SELECT last_failed_wal, last_failed_time, last_archived_time FROM pg_stat_archiver
WHERE last_failed_time > COALESCE(last_archived_time, '-infinity') AND current_setting('archive_mode') <> 'off'"""


def intake_quiet(*, now: datetime.datetime) -> dict | None:
    """Returns the `minutes` since the last signed call of BBOSS, if they are more than INTAKE_QUIET_MINUTES.

    Returns None if there never was a call, if calls could not be stored lately, or if the database counts as restored.
    """
    most = settings.INTAKE_QUIET_MINUTES
    newest = InboundMessage.objects.filter(signed=True).order_by("-pk").values_list("received_at", flat=True).first()
    if not most or newest is None or now - newest <= datetime.timedelta(minutes=most):
        return None
    if orders_not_stored_lately() or read_restore_state().restored:
        return None
    last = f"{timezone.localtime(newest):%Y-%m-%d %H:%M}"
    return {"minutes": int((now - newest).total_seconds() // 60), "last": last, "most": most}


def state_folder_broken(*, now: datetime.datetime) -> dict | None:
    """Returns the `error` if STATE_DIR has few free inodes or can't be written. Writing is tested with a file."""
    folder = settings.STATE_DIR.absolute()
    error = unwritable(folder)
    if not error and folder.is_dir():
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".try-") as file:
                file.write(b"1")
                file.flush()
            disk = os.statvfs(folder)
            if disk.f_files and disk.f_favail < LEAST_INODES:
                error = f"only {disk.f_favail} inodes are free"
        except OSError as reason:
            error = f"{folder}: {reason.strerror or reason}"
    return {"error": error} if error else None


def backup_old(*, now: datetime.datetime) -> dict | None:
    """Returns the `hours` since the last backup or, without a backup, since the creation of the database. Returns None
    if this is recent enough.
    """
    last = last_backup()
    since = Timeline.objects.order_by("pk").values_list("begun_at", flat=True).first()
    since = datetime.datetime.fromisoformat(last["made_at"]) if last else since
    return {"hours": int((now - since).total_seconds() // 3600)} if since and now - since > BACKUP_WITHIN else None


def step_kills_worker(*, now: datetime.datetime) -> dict | None:
    """Returns the `number` of steps and mails that lost their worker at least twice in a row, and an example."""
    steps = Dispatch.objects.open().filter(lost__gte=LOST_IN_A_ROW)
    mails = Mail.objects.open().filter(lost__gte=LOST_IN_A_ROW)
    number = steps.count() + mails.count()
    if not number:
        return None
    row = steps.select_related("order").order_by("-lost", "pk").first()
    about = f"{row.order.number} {row.step}" if row else "a mail"
    return {"number": number, "about": about}


def transaction_old(*, now: datetime.datetime) -> dict | None:
    """Returns the oldest transaction that has been idle or active for too long. Transactions of backups are left out.

    Transactions of other roles are visible only to a role with pg_read_all_stats.
    """
    rows = _ask(OLDEST_TRANSACTION, [IDLE_FOR, OPEN_FOR])
    if not rows:
        return None
    pid, user, application, since, state, verb = rows[0]
    about = {"pid": pid, "user": user, "application": application or "-", "state": state, "verb": verb or "-"}
    return about | {"since": f"{timezone.localtime(since):%Y-%m-%d %H:%M:%S}"}


def archive_fails(*, now: datetime.datetime) -> dict | None:
    """Returns the last WAL file that archive_command failed to archive, with the times of the last failure and the last
    success. Returns None if the last file was archived.
    """
    rows = _ask(FAILING_ARCHIVER, [])
    if not rows:
        return None
    file, failed, taken = rows[0]
    times = {"failed": failed, "taken": taken}
    return {"file": file} | {name: at and f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" for name, at in times.items()}


def _ask(sql: str, values: list) -> list[tuple]:
    """Returns the rows of a query. On SQLite, returns no rows."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def orders_not_stored(*, now: datetime.datetime) -> dict | None:
    """Returns the reason (`why`) if no order can be stored, or if responses 20000 are frequent now."""
    row = orders_not_stored_lately()
    if why := write_try.why_not(now):
        return {"why": why[:500]}
    if row and is_going_on(row) and not read_restore_state().restored:
        return {"why": f"{row['number']} calls got 20000 within {row['minutes']} minutes"}
    return None


def is_going_on(row: dict) -> bool:
    """Returns True if there are more than a few 20000 responses and the last one is recent."""
    return row["number"] > MAX_NOT_STORED and row["seconds_ago"] < RECENT_SECONDS


def database_disk(*, now: datetime.datetime) -> dict | None:
    """Returns the percentage of free space on the database's disk, if the disk is local and nearly full.

    EXPORT_MIN_FREE_MB=0 disables the checks of disks.
    """
    place = connection.settings_dict
    if connection.vendor == "sqlite":
        folder = Path(place["NAME"]).parent
    elif not place["HOST"] or place["HOST"].startswith("/") or place["HOST"] in LOCAL_HOSTS:
        folder = POSTGRESQL
    else:
        return None
    if not settings.EXPORT_MIN_FREE_MB or not folder.is_dir():
        return None
    disk = shutil.disk_usage(folder)
    if disk.free > MOST_FREE or disk.free > disk.total * FREE_SHARE:
        return None
    return {"folder": str(folder), "percent": round(100 * disk.free / disk.total)}


class SilentFailure(NamedTuple):
    """A silent failure.

    `check` returns the parameters of the failure, or None if all is well. Without `check`, another part of the worker
    opens and ends the incident. `own`: the failure concerns this machine only.
    """

    alarm: str
    check: Callable[..., dict | None] | None = None
    own: bool = False


SILENT_FAILURES = {
    DESK_DOWN: SilentFailure("DeskDown"),
    "orders_not_stored": SilentFailure("OrdersNotStored", orders_not_stored, own=True),
    "intake_quiet": SilentFailure("IntakeQuiet", intake_quiet),
    "state_folder_broken": SilentFailure("StateFolderBroken", state_folder_broken, own=True),
    "database_errors": SilentFailure("DatabaseErrors", last_hour.database_errors, own=True),
    "step_kills_worker": SilentFailure("StepKillsWorker", step_kills_worker),
    "database_disk": SilentFailure("DatabaseDiskNearlyFull", database_disk, own=True),
    "archive_fails": SilentFailure("ArchiveFails", archive_fails),
    "transaction_old": SilentFailure("TransactionOld", transaction_old),
    SITE_CERTIFICATE: SilentFailure("SiteCertificate"),
    "backup_old": SilentFailure("BackupOld", backup_old),
    "callbacks_refused": SilentFailure("CallbacksRefused", last_hour.callbacks_refused, own=True),
    "slow_intake": SilentFailure("SlowIntake", last_hour.slow_intake, own=True),
    "slow_partner": SilentFailure("SlowPartner", last_hour.slow_partner, own=True),
    "partner_refuses": SilentFailure("PartnerRefuses", last_hour.partner_refuses, own=True),
    "queue_growing": SilentFailure("QueueGrowing", last_hour.queue_growing),
}
LASTING = {"backup_old", "archive_fails", "transaction_old"}
"""Warnings that are mailed at the first check that finds them, since these failures have lasted already."""


def current_failures(*, now: datetime.datetime) -> dict[str, dict]:
    """Returns the current failures by the incident's code, worst first. Leaves out failures that staff ignore."""
    standing = Incident.objects.filter(state__in=[*UNRESOLVED, Incident.State.IGNORED])
    noted = {row.code: row for row in standing.filter(partner=DESK, code__in=SILENT_FAILURES)}
    found = {}
    for code, failure in SILENT_FAILURES.items():
        row = noted.get(code)
        if row and row.state == Incident.State.IGNORED:
            continue
        params = failure.check(now=now) if failure.check else row and row.detail_params
        if params:
            found[code] = {name: value for name, value in params.items() if name != "code"}
    return found


def keep_failure_incidents(*, now: datetime.datetime) -> None:
    """Opens or ends the incident of each failure that can be checked at once. If a check fails, for example because a
    lock blocks it, the others still run. All checks together have a time-out of ten seconds."""
    unknown, why = [], ""
    with database_deadline(2 * CHECK_SECONDS):
        for code, failure in SILENT_FAILURES.items():
            try:
                if failure.check:
                    keep = keep_own_incident if failure.own else keep_desk_incident
                    keep(code, failure.check(now=now), now=now)
            except Error as error:
                unknown.append(failure.alarm)
                why = why or error_line(error)
    if unknown:
        log.warning("whether these stand can't be told now: %s (%s)", ", ".join(unknown), why)
