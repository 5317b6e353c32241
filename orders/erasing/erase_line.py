"""Erases the personal data of a line (contract 3.14)."""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from orders.erasing.erased_list import note_erased
from orders.erasing.line_texts import append_only_texts, erase_texts, people_of
from orders.erasing.over_lines import line_of, why_not_erase
from orders.erasing.personal_texts import People
from orders.history.order_locks_and_events import add_event, find_order, lock_orders
from orders.models import Erasure, Order
from orders.texts.errors import check_reason

FILES = ("info_security", "info_security_table", "busi_info")


@dataclass(frozen=True)
class Erased:
    """`numbers`: the line's orders. `changed`: the number of changed rows by table, and of removed files. `reason`:
    the reason without personal data."""

    numbers: list[str]
    changed: Counter
    reason: str


def erase_line(*, number: str, reason: str, by: str, now: datetime.datetime) -> Erased:
    """Erases the personal data of the order's line, in one transaction. Files are removed after the commit.

    Raises OrderUnknownError and NotAllowedError (the line is not over or unsettled, or the reason is blank).
    """
    check_reason(reason, "erasing personal data")
    with transaction.atomic():
        _overwrite_what_is_freed()
        orders = list(lock_orders(line_of(find_order(number)).values_list("pk", flat=True)).values())
        if why := why_not_erase(orders[0], now):
            raise why
        numbers, people = [row.number for row in orders], people_of(orders)
        said = people.text(reason.strip())
        changed = erase_texts(orders, people)
        for row in orders:
            texts = append_only_texts(row, people)
            changed["event"] += len(texts["events"])
            Erasure.objects.create(order=row, at=now, by=by[:160], reason=said, texts=texts)
            add_event(row, "personal_data_erased", by=by, now=now, reason=said)
        files = [*_exports_with(people), *_files_only_of(orders)]
        changed["file"] = len(files)
        transaction.on_commit(lambda: _after_commit(numbers, files, now))
    return Erased(numbers, +changed, said)


def _overwrite_what_is_freed() -> None:
    """SQLite otherwise leaves old texts in its file until the space is used again."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")


def _after_commit(numbers: list[str], files: list[Path], now: datetime.datetime) -> None:
    note_erased(numbers, now=now)
    for path in files:
        path.unlink(missing_ok=True)
    if connection.vendor == "sqlite" and not connection.in_atomic_block:  # the old pages are in the WAL too
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _exports_with(people: People) -> Iterator[Path]:
    """Marks the exports whose files have a value of these people as removed, and yields the files."""
    export = apps.get_model("orders.Export")
    for row in export.objects.exclude(file=""):
        path = settings.EXPORT_DIR / row.file
        if any(map(people.are_in, _parts_of(path))):
            export.objects.filter(pk=row.pk).update(file="")
            yield path


def _parts_of(path: Path) -> Iterator[bytes]:
    """Yields the content of a file, or the contents of a workbook's parts."""
    try:
        if not is_zipfile(path):
            yield path.read_bytes()
            return
        with ZipFile(path) as book:
            for name in book.namelist():
                yield book.read(name)
    except (FileNotFoundError, BadZipFile):
        return


def _files_only_of(orders: list[Order]) -> Iterator[Path]:
    """Yields the info-security files that no other order names."""
    for name in {name for row in orders for name in row.file_names}:
        named = Q(*((column, name) for column in FILES), _connector=Q.OR)
        others = Order.objects.filter(named).exclude(pk__in=[row.pk for row in orders])
        path = settings.ATTACHMENT_DIR / name
        if not others.exists() and path.is_file():
            yield path
