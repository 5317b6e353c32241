"""The numbers of trials that staff enter survive a restore of the database. They are kept in a file beside the
info-security files.
"""

import pytest
from django.core.management import CommandError, call_command

from orders.db import line_file
from orders.models import Order
from orders.restore.manual_trial_numbers import EnteredNumber, merge_numbers, note_numbers, numbers_file, read_numbers
from orders.restore.restore_preview import lost_entries
from tests import factories as make
from tests.conftest import shanghai
from tests.entering.test_enter_page import FORM, URL
from tests.entering.test_import_pages import review
from tests.entering.workbooks import row, workbook
from tests.test_deployment import python

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
AT = shanghai("2023-09-20 18:54:36")


@pytest.fixture
def importing(tmp_path):
    def run(*rows, **more):
        path = tmp_path / "trials.xlsx"
        path.write_bytes(workbook(*rows))
        call_command("import_trials", str(path), by="wang", **more)

    return run


def noted() -> list[str]:
    return [one.number for one in read_numbers()]


def test_a_number_is_written_with_day_and_actor_and_nothing_else(member):
    client = member("业务人员")
    client.post(URL, FORM)
    who = f"staff:{client.person.get_username()}"
    assert numbers_file().read_text() == f"T1 2023-09-20T18:54:36+08:00 {who}\n"
    assert read_numbers() == [EnteredNumber("T1", AT, who)]


def test_it_is_written_before_the_commit(importing, monkeypatch):
    """The number is written to disk before the transaction commits. If writing fails, the trial is not entered."""
    numbers_file().parent.mkdir(parents=True)
    seen = []

    def fails(handle):
        seen.append((noted(), Order.objects.count()))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(line_file.os, "fsync", fails)
    with pytest.raises(CommandError, match="Input/output error"):
        importing(row("T1"))
    assert seen == [(["T1"], 1)]
    assert not Order.objects.exists()


def test_all_rows_of_a_workbook_are_written_at_once(importing, monkeypatch):
    synced = []
    monkeypatch.setattr(line_file.os, "fsync", synced.append)
    importing(*(row(f"T{number}") for number in range(20)))
    assert sorted(noted()) == sorted(f"T{number}" for number in range(20))
    assert len(synced) <= 3  # the file, its folder, and the folder in which that one was made


def test_what_enters_nothing_writes_nothing(importing):
    importing(row("T1"), dry_run=True)
    with pytest.raises(CommandError):
        importing(row("T2"), row("T3", BizStart="x"))
    assert not numbers_file().exists()
    importing(row("T1"))
    importing(row("T1"), row("T4"))
    assert noted() == ["T1", "T4"]


def test_nothing_is_entered_where_the_number_cant_be_written(importing, member, settings, tmp_path):
    client = member("业务人员")
    address = review(client, row("T1"))
    settings.ATTACHMENT_DIR = tmp_path / "file"
    settings.ATTACHMENT_DIR.write_text("")
    with pytest.raises(CommandError, match=r"ATTACHMENT_DIR"):
        importing(row("T1"))
    for page in (client.post(URL, FORM), client.post(address, follow=True)):
        assert "附件目录" in page.content.decode()
    assert not Order.objects.exists()


APPEND = """
import os
import django
django.setup()
from datetime import UTC, datetime
from orders.restore.manual_trial_numbers import note_numbers
children = []
for process in "ABCD":
    if child := os.fork():
        children.append(child)
        continue
    for n in range(50):
        note_numbers([f"{process}-{n}", f"{process}-{n}b"], by="staff:" + "x" * 100, now=datetime.now(UTC))
    os._exit(0)
assert {os.waitpid(child, 0)[1] for child in children} == {0}
"""


@pytest.mark.whole
def test_several_processes_write_beside_each_other(settings):
    written = python("-c", APPEND, DEBUG="true", ATTACHMENT_DIR=str(settings.ATTACHMENT_DIR))
    assert written.returncode == 0, written.stderr
    assert len(set(noted())) == 4 * 100


def test_a_torn_line_spoils_no_other():
    note_numbers(["T1"], by="staff:wang", now=AT)
    with numbers_file().open("ab") as file:
        file.write(b"100A2309")  # the line of a write that a power failure cut off
    assert noted() == ["T1"]
    note_numbers(["T2"], by="staff:li  na\n", now=AT)
    assert [(one.number, one.by) for one in read_numbers()] == [("T1", "staff:wang"), ("T2", "staff:li na")]


def test_an_older_copy_loses_no_line():
    note_numbers(["T1"], by="a", now=AT)
    copy = numbers_file().read_bytes()
    note_numbers(["T2"], by="a", now=AT)
    assert merge_numbers(copy) == 0
    assert noted() == ["T1", "T2"]
    assert merge_numbers(b"T0 2023-09-01T00:00:00+08:00 a\n" + copy + b"T3") == 1
    assert noted() == ["T1", "T2", "T0"]


def test_the_newest_that_are_missing_come_first():
    assert lost_entries().rows == []
    make.TrialFactory(number="T2")
    for number in ("T1", "T2", "T3", "T1"):
        note_numbers([number], by="staff:wang", now=AT)
    assert [one.number for one in lost_entries().rows] == ["T1", "T3"]
    assert lost_entries().error == ""


def test_a_file_that_cant_be_read_is_named():
    numbers_file().mkdir(parents=True)
    assert "Is a directory" in lost_entries().error
