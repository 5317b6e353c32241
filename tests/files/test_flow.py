"""Checks of files with real deliveries: the order is held before anything is sent, and goes on with right files or a
waiver (contract 3.7).
"""

import pytest
from django.core import mail
from django.utils import timezone

from approvals.models import ApprovalRecord
from integrations.delivery.loop import drain
from orders.attachments import xlsx
from orders.attachments.files_hold import recheck_files, take_upload, waive_files, watch_unchecked
from orders.models import Incident
from orders.texts.incident_texts import cause_of
from tests.bboss.conftest import ACTIVATION, TRIAL
from tests.factories import fresh
from tests.files import books
from tests.files.conftest import FILE, check_of, receive

NAME = FILE.format("100A1")
FLOWS = "/bpm/flows/start"


def deliver():
    """Delivers until nothing is due. This takes several rounds, because one step makes another one due."""
    while drain(seconds=None, linger=False).tried:
        pass


@pytest.fixture
def order(db, folder, sandbox):
    """An activation of a running trial. Its file is missing and was checked once."""
    receive(TRIAL)
    deliver()
    sandbox.before = len(sandbox.calls())
    return activation(InfoSecurity=NAME)


def activation(**named):
    order = receive(ACTIVATION | named)
    deliver()
    order.refresh_from_db()
    return order


def look_again():
    recheck_files(numbers=None, now=timezone.now())
    deliver()


def test_held_before_anything_is_sent_and_the_same_finding_again_is_told_once(order, sandbox):
    assert (order.state, order.held_because) == ("held", "files")
    assert len(sandbox.calls()) == sandbox.before
    assert Incident.objects.get().code == "missing"
    assert NAME in order.troubles.get().detail
    assert len(mail.outbox) == 1
    waits = check_of(order).next_try_at - timezone.now()
    assert 290 < waits.total_seconds() <= 300
    look_again()
    assert (fresh(order).state, check_of(order).attempts, len(mail.outbox)) == ("held", 2, 1)
    assert order.events.filter(kind="held").count() == 1


@pytest.mark.whole
def test_other_findings_are_told_half_an_hour_later_in_one_mail(clock, order, folder):
    """A different finding neither ends the incident nor opens another one."""
    first = Incident.objects.get()
    for data, code in ((books.book()[:3000], "not_xlsx"), (books.book(["域名"]), "empty")):
        clock.shift(60)
        books.write(folder, NAME, data)
        look_again()
        assert len(mail.outbox) == 1
        incident = Incident.objects.get()
        assert (incident.pk, incident.code, incident.state) == (first.pk, code, "open")
        assert incident.first_at == first.first_at
    assert not order.events.filter(kind="incident_over").exists()
    assert (fresh(order).state, order.troubles.get(closed_at=None).incident.code) == ("held", "empty")
    clock.shift(30 * 60)
    look_again()
    assert len(mail.outbox) == 2
    assert str(cause_of("empty").what) in mail.outbox[1].body


def test_nobody_is_told_of_findings_that_are_over(clock, order, folder):
    for data in (books.book()[:3000], books.book()):
        clock.shift(60)
        books.write(folder, NAME, data)
        look_again()
    clock.shift(30 * 60)
    deliver()
    assert [one.subject for one in mail.outbox if "已挂起" in one.subject] == [mail.outbox[0].subject]


def test_another_finding_leaves_the_other_orders_where_they_are(order, folder):
    """Two orders share an incident. One of them gets a different finding and moves to that finding's incident, which
    keeps the time since when the order is stopped. The other order stays.
    """
    receive(TRIAL | {"OrderNum": "100T2"})
    deliver()
    other = activation(OrderNum="100A2", BizRequest="100T2", InfoSecurity=FILE.format("100A2"))
    since = order.troubles.get().since
    books.write(folder, NAME, books.book()[:3000])
    look_again()
    assert set(Incident.objects.values_list("code", "state")) == {("missing", "open"), ("not_xlsx", "open")}
    assert [row.incident.code for row in other.troubles.filter(closed_at=None)] == ["missing"]
    trouble = order.troubles.get(closed_at=None)
    assert (trouble.incident.code, trouble.since, trouble.incident.first_at) == ("not_xlsx", since, since)
    assert not order.events.filter(kind="incident_over").exists()
    books.write(folder, FILE.format("100A2"), books.book()[:3000])
    look_again()
    assert Incident.objects.get(state="open").affected.filter(closed_at=None).count() == 2
    assert not other.events.filter(kind="incident_over").exists()


def test_right_files_let_it_go_on(order, folder, sandbox):
    books.write(folder, NAME, books.book())
    look_again()
    assert (fresh(order).state, order.held_because) == ("active", "")
    assert len(sandbox.calls(FLOWS)) == 1
    assert not Incident.objects.exclude(state="resolved").exists()


def test_an_uploaded_file_lets_it_go_on_if_the_check_says_so(order, sandbox):
    def upload(data):
        take_upload(number="100A1", field="info_security", chunks=[data], by="staff:x", now=timezone.now())
        deliver()
        order.refresh_from_db()
        return order.state, order.held_because

    assert upload(books.book()[:3000]) == ("held", "files")
    assert sandbox.calls(FLOWS) == []
    assert upload(books.book()) == ("active", "")


def test_a_name_that_bboss_sent_wrong_is_told_before_files_that_are_missing(db, folder, sandbox):
    """An upload can't correct a wrong name from BBOSS, so the order is held for the name first."""
    receive(TRIAL)
    deliver()
    wrong = NAME.replace("100A1_50004020027", "100A9_50004020030")
    order = activation(InfoSecurity=NAME, BusiInfo=wrong)
    assert Incident.objects.get().code == "bad_name"
    assert [one["code"] for one in check_of(order).findings] == ["bad_name", "missing"]


def test_a_waiver_lets_it_go_on(order, sandbox):
    waive_files(number="100A1", reason="已线下审核", by="staff:lisi", now=timezone.now())
    deliver()
    assert fresh(order).state == "active"
    assert len(sandbox.calls(FLOWS)) == 1
    assert (ApprovalRecord.objects.get().result, ApprovalRecord.objects.get().opinion) == ("waive", "已线下审核")


def test_every_wrong_file_is_named_at_once(db, folder, sandbox):
    receive(TRIAL)
    deliver()
    table = NAME.replace("50004020027", "50004020028")
    order = activation(InfoSecurity=NAME, InfoSecurityTable=table)
    row = check_of(order)
    assert [(one["file"], one["code"]) for one in row.findings] == [(NAME, "missing"), (table, "missing")]
    assert NAME in order.troubles.get().detail
    assert table in order.troubles.get().detail
    assert table in mail.outbox[0].body
    opened = Incident.objects.get()
    books.write(folder, NAME, books.book())
    look_again()
    assert [one["file"] for one in check_of(order).findings] == [table]
    incident, trouble = Incident.objects.get(), order.troubles.get()
    assert (incident.state, incident.first_at, trouble.since) == ("open", opened.first_at, opened.first_at)
    for shown in (incident, trouble):
        assert NAME not in shown.detail
        assert [part["file"] for part in shown.detail_params["parts"]] == [table]
    assert len(mail.outbox) == 1
    assert order.events.filter(kind__in=["held", "incident", "incident_over"]).count() == 2
    books.write(folder, table, books.book())
    look_again()
    assert fresh(order).held_because == ""


# --- A check that ran out of our own time or memory


@pytest.fixture
def busy(monkeypatch):
    """Makes the machine too busy to check files, until `busy(False)`."""

    def be(so):
        ask = too_busy if so else xlsx.ask
        monkeypatch.setattr("orders.attachments.check.ask", ask)

    def too_busy(*_args, **_more):
        raise xlsx.ProbeError("no verdict within 10.0 s")

    be(True)
    return be


def test_a_check_that_ran_out_of_our_time_blames_nobody(clock, db, folder, sandbox, busy):
    """The order is not held and no mail is written. The check is repeated after a minute, as often as necessary, and
    then the order goes on.
    """
    receive(TRIAL)
    deliver()
    books.write(folder, NAME, books.book())
    order = activation(InfoSecurity=NAME)
    assert (order.state, order.held_because) == ("in_progress", "")
    for _ in range(12):
        clock.shift(61)
        deliver()
    row = check_of(order)
    assert (row.state, row.error_code, row.attempts) == ("retrying", "files_unchecked", 13)
    assert (fresh(order).state, order.held_because, mail.outbox) == ("in_progress", "", [])
    assert not Incident.objects.exists()
    assert not order.events.filter(kind__in=["held", "step_retrying", "step_failed"]).exists()
    busy(False)
    clock.shift(61)
    deliver()
    assert fresh(order).state == "active"


def test_an_hour_of_it_is_an_incident_of_the_desk_until_it_is_over(clock, db, folder, sandbox, busy):
    receive(TRIAL)
    deliver()
    books.write(folder, NAME, books.book())
    order = activation(InfoSecurity=NAME)
    for minutes, incidents in ((59, 0), (2, 1)):
        clock.shift(minutes * 60)
        deliver()
        watch_unchecked(now=timezone.now())
        assert Incident.objects.filter(partner="desk", code="files_unchecked", state="open").count() == incidents
    assert mail.outbox == []
    assert (fresh(order).state, order.held_because) == ("in_progress", "")
    assert "暂时无法检查" in str(cause_of("files_unchecked").what)
    busy(False)
    clock.shift(61)
    deliver()
    watch_unchecked(now=timezone.now())
    assert Incident.objects.get().state == "resolved"


def test_what_was_found_before_stands_and_is_told_once(clock, order, folder, busy):
    """A held order can't be checked again because the machine is busy. This is no new finding, and it does not end the
    earlier one.
    """
    told = len(mail.outbox)
    books.write(folder, NAME, books.book())
    clock.shift(301)
    look_again()
    row = check_of(order)
    assert (fresh(order).state, order.held_because, row.error_code) == ("held", "files", "missing")
    assert (row.state, row.findings[0]["code"]) == ("retrying", "missing")
    assert (len(mail.outbox), Incident.objects.get().state) == (told, "open")
    busy(False)
    look_again()
    assert fresh(order).state == "active"


def test_a_finding_between_two_such_checks_begins_the_hour_anew(clock, order, folder, busy):
    books.write(folder, NAME, books.book())
    clock.shift(3000)
    look_again()
    clock.shift(3000)
    look_again()
    watch_unchecked(now=timezone.now())
    assert not Incident.objects.filter(code="files_unchecked").exists()
    clock.shift(1000)
    look_again()
    watch_unchecked(now=timezone.now())
    assert Incident.objects.filter(code="files_unchecked", state="open").exists()
