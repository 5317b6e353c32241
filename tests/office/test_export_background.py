"""Exports that a worker writes: with progress, once, and from the beginning if a worker died."""

import datetime
import itertools
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.lists.registration import exported_lists
from orders.office import jobs
from orders.office.exports import export_jobs as exports
from orders.office.exports.export_jobs import Table, claim_export, resume_exports, write_export
from orders.office.exports.lists import ExportedList
from orders.office.exports.models import Export
from orders.outbox.leases import JOB_LEASE, LeftError, renew
from tests import factories as make
from tests.admin.rows import of_order
from tests.office.conftest import body, read_xlsx

pytestmark = pytest.mark.django_db
LARGE = {"content", "body", "hint", "answer", "payload"}
DEAD = JOB_LEASE + datetime.timedelta(seconds=1)


@pytest.fixture
def waiting(staff):
    """Returns a function. `waiting()` returns an export of all orders that `staff` has asked for."""

    def begin(**facts):
        usual = {"by": f"staff:{staff.person.username}", "list_name": "orders", "query": "", "columns": ["number"]}
        usual |= {"format": "xlsx", "personal": False, "reason": "", "scope": None, "now": timezone.now()}
        return exports.begin_export(**usual | facts)

    return begin


def state(row):
    row.refresh_from_db()
    return row.state


def files(folder):
    return sorted(path.name for path in folder.glob("*"))


def test_a_worker_writes_it_once_and_its_maker_fetches_it(staff, waiting, export_dir):
    numbers = {make.OrderFactory().number for _ in range(3)}
    row = waiting()
    tasks.export(row.pk)
    assert (state(row), row.written, row.total) == ("done", 3, 3)
    found = read_xlsx(body(staff.get(reverse("admin:orders_export_download", args=[row.pk]))))
    assert {line["订单号"] for line in found} == numbers
    before = (export_dir / row.file).stat().st_mtime_ns
    assert tasks.export(row.pk) == f"export {row.pk}: nothing to do"  # a task may be delivered twice
    assert files(export_dir) == [row.file]
    assert (export_dir / row.file).stat().st_mtime_ns == before


@pytest.mark.parametrize("query", ["received=today", "received=month", "start=starting"])
def test_words_for_days_mean_the_day_on_which_it_was_asked_for(staff, waiting, clock, query):
    """`today` and the like mean the day of the request, even if a second person agrees or the worker begins a month
    later.
    """
    day = timezone.localdate()
    asked_for = make.OrderFactory(state="active", received_at=timezone.now(), biz_start=day)
    row = waiting(query=query)
    clock.shift(datetime.timedelta(days=31))
    make.OrderFactory(state="active", received_at=timezone.now(), biz_start=timezone.localdate())
    tasks.export(row.pk)
    found = read_xlsx(body(staff.get(reverse("admin:orders_export_download", args=[Export.objects.get().pk]))))
    assert [line["订单号"] for line in found] == [asked_for.number]


def test_a_dead_worker_s_export_begins_again(waiting, export_dir, clock):
    make.OrderFactory()
    row = waiting()
    assert claim_export(row.pk, now=timezone.now()).attempts == 1  # as if the worker died afterwards
    export_dir.mkdir()
    (export_dir / f"export-{row.pk}-1.xlsx.part").write_bytes(b"half")
    assert tasks.export(row.pk) == f"export {row.pk}: nothing to do"  # the lease of the first attempt has not run out
    clock.shift(DEAD)
    resume_exports(now=timezone.now())
    assert OrmQ.objects.count() == 1
    tasks.export(row.pk)
    assert (state(row), row.attempts, row.written) == ("done", 2, 1)
    assert files(export_dir) == [f"export-{row.pk}-2.xlsx"]


def test_who_was_only_slow_leaves_no_second_file(waiting, export_dir, clock):
    """The first worker stops for a while as it writes, and another one writes the file meanwhile. When the first one
    goes on, it leaves no file.
    """
    row = waiting()
    slow = claim_export(row.pk, now=timezone.now())

    def rows():
        yield ["a"]
        clock.shift(DEAD)
        tasks.export(row.pk)
        yield ["b"]

    assert write_export(slow, Table("x", ["a"], 2, rows())) is False
    assert (state(row), row.attempts, row.file) == ("done", 2, f"export-{row.pk}-2.xlsx")
    assert files(export_dir) == [row.file]


def test_one_is_written_at_a_time_the_others_wait(staff, waiting):
    first, second, third = waiting(), waiting(), waiting()
    claim_export(first.pk, now=timezone.now())
    assert tasks.export(second.pk) == f"export {second.pk}: nothing to do"
    assert state(second) == "waiting"
    page = staff.get(reverse("admin:orders_export_change", args=[third.pk])).content.decode()
    assert "前面还有 2 个导出" in page


def test_the_next_is_queued_when_one_is_over(waiting, clock):
    first, second = waiting(), waiting()
    clock.shift(1)
    tasks.export(first.pk)
    assert OrmQ.objects.count() == 1
    tasks.export(second.pk)
    assert (state(first), state(second)) == ("done", "done")


def test_a_waiting_one_whose_task_was_lost_is_found_by_the_sweep(waiting, clock):
    waiting()
    resume_exports(now=timezone.now())
    assert OrmQ.objects.count() == 0  # the request may still be writing the file itself
    clock.shift(jobs.WAIT_LIMIT + datetime.timedelta(seconds=1))
    resume_exports(now=timezone.now())
    assert OrmQ.objects.count() == 1


def test_a_worker_that_has_to_end_gives_it_back(waiting, export_dir, monkeypatch):
    monkeypatch.setattr(exports, "RENEW_SECONDS", 0)
    row = claim_export(waiting().pk, now=timezone.now())
    assert write_export(row, Table("x", ["a"], 10**6, itertools.repeat(["a"])), stop=lambda: True) is False
    assert state(row) == "waiting"
    assert files(export_dir) == []


def test_its_maker_stops_it_while_it_is_written(staff, waiting, export_dir, monkeypatch):
    monkeypatch.setattr(exports, "RENEW_SECONDS", 0)
    row = claim_export(waiting().pk, now=timezone.now())
    address = reverse("admin:orders_export_stop", args=[row.pk])

    def rows():
        yield ["a"]
        assert 'form="stop-form"' in staff.get(reverse("admin:orders_export_change", args=[row.pk])).content.decode()
        staff.post(address)
        yield from itertools.repeat(["b"])

    assert write_export(row, Table("x", ["a"], 10**6, rows())) is False
    assert (state(row), row.error) == ("failed", {"code": "export_stopped"})
    assert files(export_dir) == []
    assert "导出已经结束" in staff.post(address, follow=True).content.decode()


@pytest.mark.parametrize("role, status", [("业务人员", 404), ("管理员", 302)])
def test_nobody_else_stops_it(waiting, member, role, status):
    row = waiting()
    assert member(role).post(reverse("admin:orders_export_stop", args=[row.pk])).status_code == status
    assert state(row) == "waiting"


def test_progress_is_noted_while_it_is_written(staff, waiting, monkeypatch):
    monkeypatch.setattr(exports, "RENEW_SECONDS", 0)
    row = claim_export(waiting().pk, now=timezone.now())
    pages = []

    def rows():
        for number in range(1200):
            if number == 1100:
                pages.append(staff.get(reverse("admin:orders_export_change", args=[row.pk])).content.decode())
            yield ["a"]

    assert write_export(row, Table("x", ["a"], 1200, rows()))
    assert '<progress max="1200" value="1000">' in pages[0]


def test_one_that_kills_its_workers_is_given_up(waiting, clock):
    row = waiting()
    for _ in range(jobs.MAX_ATTEMPTS):
        assert claim_export(row.pk, now=timezone.now())
        clock.shift(DEAD)
    tasks.export(row.pk)
    assert (state(row), row.error["code"]) == ("failed", "export_given_up")


@pytest.mark.parametrize(
    "lose",
    [
        lambda user: user.groups.clear(),
        lambda user: type(user).objects.filter(pk=user.pk).update(is_active=False),
        lambda user: user.delete(),
    ],
)
def test_the_maker_s_rights_at_that_moment_count(staff, waiting, lose, export_dir):
    row = waiting()
    lose(staff.person)
    tasks.export(row.pk)
    assert (state(row), row.error) == ("failed", {"code": "export_not_allowed"})
    assert not export_dir.exists()


@pytest.mark.parametrize("at_request, at_run, scope", [(["BJ"], None, None), (None, ["SH", "BJ"], ["BJ", "SH"])])
def test_the_maker_s_attributions_at_that_moment_count_and_are_the_file_s_scope(
    staff, waiting, at_request, at_run, scope
):
    """The rows are those of the maker's attributions when the worker writes. They are stored as the scope of the file,
    and a download compares them with the maker's attributions at that time.
    """
    for letters in ("SH", "GD"):
        make.OrderFactory(attribution_id=letters)
    row = waiting(scope=at_request)
    if at_run:
        make.limit_to(staff.person, at_run)
    tasks.export(row.pk)
    assert (state(row), row.written, row.scope) == ("done", 1 if at_run else 2, scope)
    make.limit_to(staff.person, ["BJ"])
    staff.force_login(staff.person)  # the session ended when the person lost attributions
    assert staff.get(reverse("admin:orders_export_download", args=[row.pk])).status_code == 403


@pytest.mark.parametrize(
    "facts, code",
    [
        ({"query": "gone=1"}, "export_filter_unknown"),
        ({"query": "state__exact=gone"}, "export_value_unknown"),
        ({"columns": ["gone"]}, "export_column_unknown"),
        ({"list_name": "gone"}, "export_list_unknown"),
    ],
)
def test_what_a_new_version_does_not_know_any_more_is_told(staff, waiting, facts, code):
    row = waiting(**facts)
    tasks.export(row.pk)
    assert (state(row), row.error["code"]) == ("failed", code)
    page = staff.get(reverse("admin:orders_export_change", args=[row.pk]))
    assert "文件未生成" in page.content.decode()


def test_a_database_that_goes_away_leaves_it_for_later(waiting, monkeypatch, clock):
    row = waiting()
    with monkeypatch.context() as patched:
        patched.setattr(ExportedList, "table", Mock(side_effect=OperationalError("database is locked")))
        assert tasks.export(row.pk) == "the database is away"
    assert state(row) == "running"
    clock.shift(DEAD)
    tasks.export(row.pk)
    assert state(row) == "done"


def test_a_row_that_is_gone_meanwhile_is_left_out(staff):
    rows = [make.OrderDomainFactory().order for _ in range(3)]
    table = ExportedList("orders", "", staff.person).table(["number"], personal=False, by="staff:x")
    type(rows[1]).objects.filter(pk=rows[1].pk).update(number="CHANGED")
    rows[0].domains.all().delete()
    rows[0].delete()
    assert {cells[0] for cells in table.rows} == {"CHANGED", rows[2].number}


def test_whoever_lost_the_lease_is_stopped_at_the_next_look(waiting):
    row = claim_export(waiting().pk, now=timezone.now())
    Export.objects.filter(pk=row.pk).update(attempts=9)
    with pytest.raises(LeftError):
        renew(row)


# --- bodies of messages and mails are read only if a column shows them


def large_reads(name, user, columns=None):
    """Returns the names of the large columns that the export's queries read, one name for each query."""
    for _ in range(3):
        of_order(make.OrderFactory(attribution_id="BJ"))
    found = ExportedList(name, "", user)
    table = found.table(columns or [*found.columns], personal=True, by="staff:x")
    with CaptureQueriesContext(connection) as captured:
        assert len(list(table.rows)) >= 2
    return sorted(large for large in LARGE for query in captured if f'"{large}"' in query["sql"])


@pytest.mark.parametrize("name", exported_lists())
def test_large_columns_are_read_only_where_a_column_shows_them(name, admin_user):
    """Each list declares which large columns its own columns need. An undeclared one would be read in a query for each
    row.
    """
    assert large_reads(name, admin_user) == (["body"] if name == "mails" else [])


def test_one_that_is_not_chosen_is_not_read(admin_user):
    assert large_reads("mails", admin_user, ["subject_cut", "recipients"]) == []
