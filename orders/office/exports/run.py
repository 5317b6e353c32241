"""Writes the file of an export, in a worker or for a command."""

import contextlib
import datetime
import glob
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import Error
from django.utils import timezone

from orders.history.actors import account_of, names_read_once
from orders.incidents.desk_incidents import check_free_space
from orders.lists.csv_and_xlsx_cells import Cell
from orders.lists.filter_kinds import days_as_of
from orders.lists.list_query import columns_in
from orders.lists.scope import attributions_of
from orders.models import AskedAct
from orders.office.evidence.archive import EVIDENCE, number_in
from orders.office.evidence.contents import evidence_of
from orders.office.exports.export_jobs import (
    PART,
    PARTS_KEPT,
    ask_for_account,
    claim_export,
    fail_export,
    note_reading,
    note_written,
    write_export,
    write_file,
)
from orders.office.exports.lists import ExportedList
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.table_files import SHEETS, WRITERS, remove_left
from orders.office.exports.weekly_slots import last_slot
from orders.office.jobs import queue_next
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import ExportError, OrderError


def run_export(pk: int, *, now: datetime.datetime, stop: Callable[[], bool]) -> str:
    """Writes a waiting export in a worker, with its maker's current permissions. Returns the result as text. Relative
    days in the filter, such as `today`, refer to the time of the request or the slot.

    The function may safely be called twice, even while another process writes the same export. Raises only bugs, and
    errors of the database.
    """
    row = claim_export(pk, now=now)
    if row is None:
        return f"export {pk}: nothing to do"
    try:
        with names_read_once(), days_as_of(_asked_at(row)):
            if row.personal and is_asked(EXPORT) and not row.judged_by:
                raise ExportError("schedule_not_personal" if row.schedule_id else "export_not_judged")
            maker = maker_of(row)
            if row.list_name == EVIDENCE:
                note_reading(row, scope=attributions_of(maker), columns=[])
                table = evidence_of(number_in(row.query), maker, personal=row.personal, by=row.by, reason=row.reason)
            else:
                found = ExportedList(row.list_name, row.query, maker)
                columns = found.chosen_columns(row.columns, personal=row.personal)
                note_reading(row, scope=attributions_of(maker), columns=columns)
                table = found.table(columns, personal=row.personal, by=row.by)
            done = write_export(row, table, stop=stop)
    except OrderError as error:
        fail_export(row, error)
        done = False
    except Error:
        raise  # the database is unavailable; the sweep queues the export again
    except Exception:
        fail_export(row, ExportError("export_broken"))
        raise
    queue_next(Export, before=timezone.now())
    return f"export {pk}: {'done' if done else 'not done'}"


def maker_of(row: Export):
    """Returns the account that started the export. If the export's schedule still exists, this is the account of its
    owner, even if it was renamed. Raises ExportError if the account may no longer log in."""
    owners = get_user_model().objects.filter(pk__in=ScheduledExport.objects.filter(pk=row.schedule_id).values("owner"))
    found = owners.first() or account_of(row.by, row.maker_id, row.created_at)
    if found is None or not (found.is_active and found.is_staff):
        raise ExportError("export_not_allowed")
    return found


def _asked_at(row: Export) -> datetime.datetime:
    """Returns the time to which relative days in the filter refer: the time of the request or the schedule's slot. If
    the export also covers missed slots, this is the last slot."""
    if row.slot is None:
        return row.created_at
    if not (row.missed and row.schedule):
        return row.slot
    return max(row.slot, last_slot(row.schedule.weekdays, row.schedule.at, until=row.created_at))


def export_to(
    path: Path,
    *,
    list_name: str,
    query: str,
    personal: bool,
    reason: str,
    by: str,
    on_progress: Callable[[int, int], None] = lambda written, total: None,
) -> Export:
    """Writes a list to a file outside of EXPORT_DIR, for a command. The export has all permissions, and is recorded
    like any other export.

    The suffix of `path` determines the format. The file is renamed to `path` when it is complete. If a second person
    must approve personal data, this export is an emergency and is reported to those who may approve. Raises
    ExportError, NotAllowedError (no reason, or the disk is nearly full) and OSError (the file can't be written).
    """
    format, account = _format_of(path), get_user_model()(username=by[:150], is_superuser=True)
    found, columns = _list_for(account, list_name, query, personal=personal)
    table = found.table(columns, personal=personal, by=by)
    written = 0

    def counted() -> Iterator[Sequence[Cell]]:
        nonlocal written
        for cells in table.rows:
            yield cells
            written += 1
            on_progress(written, table.total)

    with whole_file(path) as part, names_read_once():
        write_file(part, table, format=format, rows=counted())
        row = note_written(
            by=by,
            list_name=list_name,
            query=found.query,
            columns=columns,
            format=format,
            personal=personal,
            reason=reason,
            now=timezone.now(),
            written=written,
            subject=list_name,
        )
    return row


def ask_export(path: Path, *, list_name: str, query: str, reason: str, account, via: str) -> AskedAct | None:
    """Asks a second person to approve an export of personal data, for a command. Then a worker writes the file with the
    account's permissions and limits, and the account downloads it from the export's page.

    The suffix of `path` determines the format. Raises ExportError and NotAllowedError.
    """
    format = _format_of(path)
    found, columns = _list_for(account, list_name, query, personal=True)
    about = {"list_name": list_name, "query": found.query, "columns": columns, "format": format, "reason": reason}
    return ask_for_account(account, **about, personal=True, now=timezone.now(), via=via)


def _format_of(path: Path) -> str:
    format = path.suffix.lower().removeprefix(".")
    if format not in WRITERS:
        raise ExportError("export_format", name=path.name, names=", ".join(WRITERS))
    return format


def _list_for(account, name: str, query: str, *, personal: bool) -> tuple[ExportedList, list[str]]:
    """Returns the list and its columns. Raises ExportError for an unknown column, since nobody would notice from the
    file that a name was misspelt."""
    found = ExportedList(name, query, account)
    columns = found.usual_columns(personal=personal)
    found.check(columns_in(query) or columns, personal=personal)
    return found, columns


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path for a command's file. The file is renamed to `path` after the block, or removed if the
    block fails.

    Raises NotAllowedError if the disk is nearly full. Each process writes its own file. Files left by killed processes
    are removed after a day, at the next export to this path.
    """
    check_free_space()
    for begin, end in ((".", PART), ("..", SHEETS)):
        left = path.parent.glob(f"{begin}{glob.escape(path.name)}.[0-9]*{end}")
        remove_left(left, before=(timezone.now() - PARTS_KEPT).timestamp())
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")  # pids of containers may be equal
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
