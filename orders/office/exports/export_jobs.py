"""Services of exports. An export is begun, written in the request or by a worker, and kept for a week (contract section
5).

An export is a job (`orders/office/jobs.py`). If its process dies, another process starts from the beginning. Rows are
written to a temporary file. The file is renamed when it is complete.
"""

import contextlib
import datetime
import errno
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from orders.history.actors import Actor, account_id_of, actor_kept, find_account, staff_actor
from orders.history.trail_writes import note_act
from orders.incidents.desk_incidents import check_free_space
from orders.lists.csv_and_xlsx_cells import Cell
from orders.lists.personal_data import SEE_PERSONAL_DATA
from orders.lists.scope import attributions_of
from orders.models import AskedAct, Order, TrailEntry
from orders.office.evidence.archive import EVIDENCE, ZIP, write_zip
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedule_results import lock_schedule, note_end
from orders.office.exports.table_files import SHEETS, WRITERS, Notes, remove_left
from orders.office.jobs import check_quota, claim, is_made_by, queue, resume
from orders.outbox.leases import LeftError, give_back, own, renew
from orders.people.asked_acts import ask, call_off, carried_out_in_emergency, confirm, open_acts, why_not_confirm
from orders.people.second_person import why_not_second
from orders.people.staff_events import note_personal_data_seen
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import ExportError, NotAllowedError, OrderError, check_reason

logger = logging.getLogger(__name__)
MAX_ROWS_AT_ONCE = 2000  # rows that are written within a request
KEPT = datetime.timedelta(days=7)
PACKING_LEASE = datetime.timedelta(minutes=10)  # packing a workbook of a million rows reports no progress
PARTS_KEPT = datetime.timedelta(days=1)
RENEW_SECONDS = 3.0
LOOK_EVERY = 500  # rows
MAX_KEPT = 2 * 1024**3  # bytes of files per person
PART = ".part"
FILE_ERRORS = {
    errno.ENOSPC: "export_disk_full",
    errno.EDQUOT: "export_disk_full",
    errno.EACCES: "export_no_access",
    errno.EPERM: "export_no_access",
    errno.EROFS: "export_read_only",
}
"""Error codes for the most common errors of a file. The system's own messages are English, so they go to the log."""


@dataclass(frozen=True)
class Table:
    """The content of an exported file. `rows` are read while they are written, and `total` is the number of rows.
    `notes` takes the number of rows written and returns the rows of the explanatory sheet."""

    title: str
    header: Sequence[str]
    total: int
    rows: Iterable[Sequence[Cell]]
    notes: Notes | None = None


def begin_export(
    *,
    by: str,
    list_name: str,
    query: str,
    columns: Sequence[str],
    format: str,
    personal: bool,
    reason: str,
    scope: Iterable[str] | None,
    now: datetime.datetime,
    written: int | None = None,
    schedule: ScheduledExport | None = None,
    slot: datetime.datetime | None = None,
    missed: int | None = None,
    via: str = "",
) -> Export:
    """Creates an export. The caller must have checked the permissions.

    If FOUR_EYES has `export_personal`, an export of personal data from a page waits for `judge_export`. `written` is
    the number of rows that a command has already written to its own file. The export then ends at once. `schedule`
    begins the export automatically, for a `slot`. `via`: the machine and account of a command. Raises NotAllowedError
    if personal data are requested without a reason. Without `written` and `schedule`, also raises the errors of
    `check_export_quota`. Callers with `written` or `schedule` must have checked the disk.
    """
    if personal:
        check_reason(reason, "an export of personal data")
    if written is None and schedule is None:
        check_export_quota(account_id_of(by))
    over = (
        {}
        if written is None
        else {"state": Export.State.DONE, "written": written, "total": written, "finished_at": now}
    )
    if personal and written is None and is_asked(EXPORT):
        over = {"state": Export.State.ASKED}
    with transaction.atomic():
        row = Export.objects.create(
            by=by[:160],
            maker_id=account_id_of(by),
            list_name=list_name,
            query=query,
            columns=list(columns),
            format=format,
            personal=personal,
            reason=reason.strip(),
            scope=kept_scope(scope),
            created_at=now,
            schedule=schedule,
            slot=slot,
            missed=missed,
            **over,
        )
        if row.state == Export.State.ASKED and isinstance(by, Actor):
            about = {"act": EXPORT, "right": SEE_PERSONAL_DATA, "order": None, "target": row.pk, "via": via}
            ask(**about, by=by, reason=row.reason, now=now)
        if row.state != Export.State.ASKED:
            _note_personal_data(row, now)
        if written is None and list_name != EVIDENCE:  # commands are in the trail, and evidence is an event
            _note_export(TrailEntry.Code.EXPORT, row, by=by, now=now, reason=row.reason)
    return row


@transaction.atomic
def note_written(*, by: str, written: int, order: Order | None = None, subject: str, **about) -> Export:
    """Records an export after a command has written its file with all permissions. `about` is for `begin_export`.

    If a second person must approve personal data, this export is an emergency. It is reported to those who may approve,
    with the order or the `subject`. Raises NotAllowedError.
    """
    row = begin_export(by=by, scope=None, written=written, **about)
    if row.personal and is_asked(EXPORT):
        act = {"act": EXPORT, "right": SEE_PERSONAL_DATA, "order": order, "subject": subject}
        carried_out_in_emergency(**act, by=by, reason=row.reason, now=row.created_at)
    return row


def ask_for_account(account, **about) -> AskedAct | None:
    """Begins an export for a command, with the limits of an account. `about` is for `begin_export`. Returns the request
    for a second person. Raises NotAllowedError."""
    return asked_for(begin_export(by=staff_actor(account), scope=attributions_of(account), **about))


def _note_export(code: TrailEntry.Code, row: Export, *, by: str, now: datetime.datetime, **more: object) -> None:
    note_act(code, by=by, now=now, export=row.pk, list=row.list_name, personal=row.personal, **more)


def check_export_quota(maker_id: int | None) -> None:
    """Checks `jobs.check_quota` and the total size of the person's files. Raises NotAllowedError."""
    check_quota(Export, maker_id)
    kept = Export.objects.filter(maker_id=maker_id).exclude(file="").aggregate(Sum("size"))["size__sum"] or 0
    if maker_id is not None and kept >= MAX_KEPT:
        raise NotAllowedError("export_kept_too_large", size=f"{kept / 1024**3:.1f}", most=MAX_KEPT // 1024**3)


def judge_export(*, pk: int, agree: bool, reason: str, judge, now: datetime.datetime) -> Export:
    """Records a second person's decision on an export of personal data. After an approval a worker writes the export. A
    refusal needs a reason. `judge`: the second person's account.

    Raises NotAllowedError if the export was already decided, the two accounts may be one person, a refusal has no
    reason, or the disk is nearly full. In the last case the export keeps waiting.
    """
    if not agree:
        check_reason(reason, "a refusal")
    row = Export.objects.get(pk=pk)
    if why := why_not_judge(row, judge, now=now):
        raise why
    over = {"state": Export.State.WAITING}
    if agree:
        check_free_space()
    else:
        over = {
            "state": Export.State.FAILED,
            "error": {"code": "export_refused", "why": reason.strip()},
            "finished_at": now,
        }
    by = staff_actor(judge)
    with transaction.atomic():
        asked = asked_for(row)
        if not own(row).update(judged_by=by[:160], judge_id=judge.pk, judged_at=now, **over):
            raise NotAllowedError("export_judged")
        if asked and agree:
            confirm(asked, judge=judge, now=now)
        elif asked:
            call_off(asked, user=judge, now=now)
        _note_export(TrailEntry.Code.EXPORT_JUDGED, row, by=by, now=now, agreed=agree, reason=reason.strip())
        if agree:
            _note_personal_data(row, now)
    row.refresh_from_db()
    if agree:
        queue(row)
    return row


def stop_export(*, pk: int, maker, now: datetime.datetime) -> None:
    """Stops an export for its maker. The worker that writes it notices this within seconds. Raises NotAllowedError."""
    unfinished = Export.objects.filter(pk=pk, state__in=Export.UNFINISHED)
    row = unfinished.first()
    over = {"state": Export.State.FAILED, "error": {"code": "export_stopped"}, "finished_at": now, "leased_until": None}
    with transaction.atomic():
        if row is None or not is_made_by(row, maker) or not unfinished.update(**over):
            raise NotAllowedError("export_over")
        if asked := asked_for(row):
            call_off(asked, user=maker, now=now)


def asked_for(row: Export) -> AskedAct | None:
    """Returns the open request for a second person, or None if there is none. Exports of version 1.7 have none."""
    return open_acts().filter(act=EXPORT, target=row.pk).first()


def end_asked(row: AskedAct, now: datetime.datetime) -> None:
    """Fails an export that nobody confirmed."""
    over = {"state": Export.State.FAILED, "error": {"code": "export_not_confirmed"}, "finished_at": now}
    Export.objects.filter(pk=row.target, state=Export.State.ASKED).update(**over)


def why_not_judge(row: Export, judge, *, now: datetime.datetime) -> NotAllowedError | None:
    if row.state != Export.State.ASKED:
        return NotAllowedError("export_judged")
    asked = asked_for(row)
    why = why_not_second(find_account(row.by, row.maker_id, row.created_at), judge, now=now)
    return why or (why_not_confirm(asked, judge, now=now) if asked else None)


def _note_personal_data(row: Export, now: datetime.datetime) -> None:
    if row.personal:
        note_personal_data_seen(None, by=actor_kept(row.by, row.maker_id), where=f"export {row.pk}", now=now)


def claim_export(pk: int, *, now: datetime.datetime) -> Export | None:
    """Claims a waiting export, or an export whose process died. Returns None if the export has ended, or while another
    export is written."""

    def give_up(row: Export) -> None:
        fail_export(row, ExportError("export_given_up", times=row.attempts))

    return claim(Export, pk, now=now, give_up=give_up, written=0)


def note_reading(row: Export, *, scope: Iterable[str] | None, columns: Sequence[str]) -> None:
    """Stores the scope and columns that are used now, since they may have changed after the request."""
    own(row).update(scope=kept_scope(scope), columns=list(columns))


def write_export(row: Export, table: Table, *, stop: Callable[[], bool] = lambda: False) -> bool:
    """Writes the file of an export that this process has begun or claimed. Returns True if the file was written.

    If the disk is full or the folder is not writable, the export fails with the reason. If `stop` returns True, the
    worker must end, and the export goes back to the queue.
    """
    name = f"export-{row.pk}-{row.attempts}.{row.format}"
    target = settings.EXPORT_DIR / name
    part = target.with_name(name + PART)
    try:
        settings.EXPORT_DIR.mkdir(parents=True, exist_ok=True)
        for pattern in (f"export-{row.pk}-*{PART}", f".export-{row.pk}-*{SHEETS}"):  # left by a process that died
            remove_left(settings.EXPORT_DIR.glob(pattern))
        write_file(part, table, format=row.format, rows=_followed(row, table, stop))
        part.replace(target)
        size = target.stat().st_size
    except OSError as error:
        logger.error("export %s: the file can't be written: %s", row.pk, error)
        code = FILE_ERRORS.get(error.errno or 0, "export_file")
        fail_export(row, ExportError(code, why=error.strerror or str(error)))
        return False
    except LeftError:
        give_back(row)
        return False
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    kept = _end(row, None, state=Export.State.DONE, file=name, size=size, expires_at=timezone.now() + KEPT)
    if not kept:
        target.unlink(missing_ok=True)
    return kept


def write_file(path: Path, table: Table, *, format: str, rows: Iterable[Sequence[Cell]] | None = None) -> None:
    writer = write_zip if format == ZIP else WRITERS[format]
    writer(path, table.header, table.rows if rows is None else rows, title=table.title, notes=table.notes)


def fail_export(row: Export, error: OrderError) -> None:
    _end(row, error, state=Export.State.FAILED, error={"code": error.code, **error.params})


def resume_exports(*, now: datetime.datetime) -> None:
    resume(Export, now=now)


def waiting_before(row: Export) -> int:
    earlier = Q(pk__lt=row.pk, slot=None) if row.slot is None else Q(slot=None) | Q(slot__lt=row.slot)
    if row.slot is not None:
        earlier |= Q(slot=row.slot, pk__lt=row.pk)
    return Export.objects.filter(Q(state=Export.State.RUNNING) | Q(earlier, state=Export.State.WAITING)).count()


def remove_old_files(*, now: datetime.datetime) -> int:
    """Removes expired files. Returns the number of removed files. The rows are kept.

    Also removes files left by dead processes: incomplete files, and complete files that no row names. A complete file
    is left if the process or the database fails before the row is updated.
    """
    old = list(Export.objects.filter(expires_at__lt=now).exclude(file=""))
    for row in old:
        file_of(row).unlink(missing_ok=True)
        Export.objects.filter(pk=row.pk).update(file="")
    named = set(Export.objects.exclude(file="").values_list("file", flat=True))
    for pattern in ("export-*", f".export-*{SHEETS}"):
        nobodys = (path for path in settings.EXPORT_DIR.glob(pattern) if path.name not in named)
        remove_left(nobodys, before=(now - PARTS_KEPT).timestamp())
    return len(old)


def file_of(row: Export) -> Path:
    return settings.EXPORT_DIR / row.file


def note_export_download(row: Export, *, by: str, now: datetime.datetime) -> None:
    """Counts and records a download. If somebody other than the maker downloads personal data, this is recorded too."""
    with transaction.atomic():
        Export.objects.filter(pk=row.pk).update(downloads=F("downloads") + 1)
        _note_export(TrailEntry.Code.EXPORT_FETCHED, row, by=by, now=now)
        if row.personal and row.by != by:
            note_personal_data_seen(None, by=by, where=f"export {row.pk}", now=now)


def kept_scope(scope: Iterable[str] | None) -> list[str] | None:
    return None if scope is None else sorted(scope)


def _followed(row: Export, table: Table, stop: Callable[[], bool]) -> Iterator[Sequence[Cell]]:
    """Yields the rows. In between, renews the lease and stores the progress. Raises LeftError if `stop` returns
    True."""
    number, renewed = 0, time.monotonic()
    renew(row, total=table.total)
    for number, cells in enumerate(table.rows, 1):
        yield cells
        if number % LOOK_EVERY == 0 and time.monotonic() - renewed > RENEW_SECONDS:
            renewed = time.monotonic()
            renew(row, written=number)
            if stop():
                raise LeftError
    renew(row, PACKING_LEASE, written=number)


def _end(row: Export, why: OrderError | None, **facts) -> bool:
    """Ends an export, with its file or with the error `why`, and updates its schedule. Returns False if it has already
    ended or another process has claimed it."""
    now = timezone.now()
    with transaction.atomic():
        schedule = lock_schedule(row)
        ended = bool(own(row).update(finished_at=now, leased_until=None, **facts))
        if ended and schedule:
            note_end(schedule, row, why, now=now)
    return ended
