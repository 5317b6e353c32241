"""Imports a workbook in two steps: upload with a check, then confirmation. In between the file is stored."""

import contextlib
import datetime
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from orders.db.disk import lock_is_free
from orders.incidents.desk_incidents import check_free_space
from orders.office.trials.enter_trials import Report, import_trials
from orders.office.trials.models import TrialUpload
from orders.office.trials.sheet import read_entries
from orders.office.trials.workbook import Sheet, put_right, read_workbook
from orders.texts.errors import NotAllowedError, WorkbookError

KEPT = datetime.timedelta(days=1)
MAX_A_DAY = 20
"""Workbooks that a person may upload within KEPT, readable or not."""
THERE = Q(imported_at__isnull=False) | ~Q(data=b"")
"""Uploads that have a page: imported ones, and those that can be imported."""
WAITING = Q(imported_at=None) & ~Q(data=b"")
"""Uploads that can be imported. Unreadable and replaced uploads are only counted and have no data."""
MAX_AT_ONCE = 2
"""Workbooks that a machine checks at a time. Each check occupies a thread of the web server."""


def keep_upload(
    *, data: bytes, file_name: str, maker_id: int, by: str, letters: frozenset[str] | None, now: datetime.datetime
) -> TrialUpload:
    """Checks a workbook and stores it with its report. The new upload replaces the maker's unconfirmed upload.

    Raises WorkbookError if the file can't be read. Then only the file's name is stored, and the upload counts for
    MAX_A_DAY. Raises NotAllowedError if the database is restored, too many workbooks are being checked, MAX_A_DAY is
    reached, or the disk is nearly full. Then nothing is stored.
    """
    check_free_space()
    row = TrialUpload(made_by_id=maker_id, made_at=now, file_name=file_name[:255], data=b"", trials=0, report={})
    mine = TrialUpload.objects.filter(made_by=maker_id)
    with _turn(maker_id):
        if mine.filter(made_at__gt=now - KEPT).count() >= MAX_A_DAY:
            raise NotAllowedError("book_too_many", most=MAX_A_DAY)
        try:
            entries = read_entries(read_workbook(data))
        except WorkbookError:
            row.save()
            raise
        report = import_trials(entries, by=by, letters=letters, now=now, dry_run=True)
    mine.filter(imported_at=None).update(data=b"", report={}, corrections=None)
    row.data, row.trials, row.report = data, len(report.rows), report.as_json()
    row.save()
    return row


@contextlib.contextmanager
def _turn(maker_id: int) -> Iterator[None]:
    """Allows one check at a time per person, and MAX_AT_ONCE on this machine. Raises NotAllowedError."""
    with contextlib.ExitStack() as held:
        if not _is_free(held, f"of-{maker_id}"):
            raise NotAllowedError("book_own_check")
        if not any(_is_free(held, str(number)) for number in range(MAX_AT_ONCE)):
            raise NotAllowedError("book_checks")
        yield


def _is_free(held: contextlib.ExitStack, name: str) -> bool:
    return lock_is_free(held, settings.STATE_DIR, f"workbook-check-{name}")


def forget_uploads(*, now: datetime.datetime) -> int:
    """Deletes the workbooks that nobody confirmed within a day, since they contain personal data. Returns the number of
    deleted workbooks."""
    return TrialUpload.objects.filter(made_at__lt=now - KEPT, imported_at=None).delete()[0]


def sheet_of(upload: TrialUpload) -> Sheet:
    """Returns the uploaded sheet with the corrections that its maker has made since the upload. Raises
    WorkbookError."""
    return put_right(read_workbook(bytes(upload.data)), upload.corrections or {})


def correct_upload(*, upload: TrialUpload, texts: dict[str, str], by: str, letters: frozenset[str] | None) -> None:
    """Replaces the text of wrong cells, `{"C5": text}`, and checks the workbook again. Valid cells do not change, and
    neither do wrong cells with the same text: a number that Excel rounded would look valid as text.

    Raises WorkbookError. Raises NotAllowedError if the workbook was already imported, the database is restored, or too
    many workbooks are being checked.
    """
    with _turn(upload.made_by_id):
        upload.refresh_from_db()
        faults = (one for row in Report.from_json(upload.report).rows for one in row.faults)
        changed = {
            one.cell: texts[one.cell]
            for one in faults
            if one.is_editable and texts.get(one.cell, one.in_cell).strip() != one.in_cell
        }
        upload.corrections = (upload.corrections or {}) | changed
        if not upload.imported_at:
            entries = read_entries(sheet_of(upload))
            report = import_trials(entries, by=by, letters=letters, now=timezone.now(), dry_run=True)
            upload.report = report.as_json()
        kept = {"report": upload.report, "corrections": upload.corrections}
        if not TrialUpload.objects.filter(WAITING, pk=upload.pk).update(**kept):
            raise NotAllowedError("import_done")


def confirm_upload(
    *, upload: TrialUpload, by: str, letters: frozenset[str] | None, confirmed: str, now: datetime.datetime
) -> TrialUpload:
    """Checks an uploaded workbook again and imports either all of it or nothing. `report` holds the result.

    If the workbook now has faults, or warnings that `confirmed` (the report's `mark`) does not confirm, `imported_at`
    stays empty. Raises NotAllowedError if the workbook was already imported, or too many workbooks are being checked.
    """
    if upload.imported_at:
        raise NotAllowedError("import_done")
    refused = None
    with _turn(upload.made_by_id):
        entries = read_entries(sheet_of(upload))
    with transaction.atomic():
        row = TrialUpload.objects.select_for_update().filter(WAITING, pk=upload.pk).first()
        if row is None:
            raise NotAllowedError("import_done")
        try:
            report = import_trials(entries, by=by, letters=letters, file=row.file_name, confirmed=confirmed, now=now)
        except NotAllowedError as error:  # raised after the commit, which keeps its entry in the trail
            refused = error
        else:
            row.report = report.as_json()
            if report.is_right and report.is_confirmed(confirmed):
                row.imported_at, row.data, row.corrections = now, b"", None
            row.save(update_fields=["report", "imported_at", "data", "corrections"])
    if refused:
        raise refused
    return row
