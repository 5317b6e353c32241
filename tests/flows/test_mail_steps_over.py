"""Mails that versions before 1.8.0 planned as steps: each is a mail of its own after the upgrade, sent once."""

import datetime
import importlib
import json
import uuid
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from notifications.models import Mail
from orders.incidents.doubts import failed_mails, failed_steps
from orders.incidents.incidents import open_incident
from orders.mails.mails import tell_accepted
from orders.models import Attempt, Dispatch, Incident
from orders.undoing.by_staff import compensate
from tests import factories as make
from tests.flows.contents import activation, trial
from tests.flows.test_mail import smtp  # noqa: F401  a fixture: an SMTP server in this process
from tests.mails import send_mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
OVER = importlib.import_module("orders.migrations.0059_mail_steps_over")
SENT, HELD = "mail_sent_to_bpm", "mail_held"
MINUTE = datetime.timedelta(minutes=1)
LEAVES = [("orders", "0058_event_of_actor"), ("notifications", "0013_notice_unused")]


@pytest.fixture(scope="module")
def before():
    """The models as 1.8.0 has them."""
    return MigrationLoader(None).project_state(LEAVES).apps


@pytest.fixture
def planned(before, settings):
    """`planned(order, state)`: a mail's step with its attempt, and its mail if it was `written`. Returns the step."""
    settings.DEFAULT_CONTACT_MAIL = "desk@example.com"
    with connection.cursor() as cursor:  # 1.10.0 drops it
        cursor.execute("ALTER TABLE notifications_mail ADD COLUMN dispatch_id bigint")

    def write(order, state="due", *, step=SENT, written=True, attempts=0, payload=None, **fields):
        usual = {"order_id": order.pk, "step": step, "channel": "mail", "position": 3, "blocking": False}
        usual |= {"created_at": timezone.now(), "attempts": attempts, "key": uuid.uuid4()}
        usual |= {"frozen_at": timezone.now() - MINUTE} if attempts else {}
        usual |= {"next_try_at": timezone.now()} if state in OVER.OPEN else {}
        to_send = {"subject": "工单", "body": "正文", "to": ["sa@example.com"], "from": "old@example.com"}
        usual |= {"payload": json.dumps(to_send | (payload or {}))} if written else {}
        row = before.get_model("orders", "Dispatch").objects.create(state=state, **usual | fields)
        if attempts:
            make.AttemptFactory(dispatch=Dispatch.objects.get(pk=row.pk), outcome="refused", error="smtp_554: no")
        if written:
            text = {"recipients": ["sa@example.com", "zhao@example.com"], "subject": "工单", "body": "正文"}
            about = {"order_id": order.pk, "dispatch_id": row.pk, "kind": step, "written_at": timezone.now() - MINUTE}
            mails = before.get_model("notifications", "Mail").objects
            mails.create(state="", message_id=f"<{row.key}@ibs-order-desk>", **text | about)
        return row

    return write


def carry(before):
    OVER.carry(before, SimpleNamespace(connection=connection))
    assert not Dispatch.objects.current().filter(channel="mail").exists()
    return Mail.objects.order_by("pk")


def column_of(mail):
    with connection.cursor() as cursor:
        cursor.execute("SELECT dispatch_id FROM notifications_mail WHERE id = %s", [mail.pk])
        return cursor.fetchone()[0]


FATES = {
    "due": ({}, ("due", "bpm")),
    "retrying": ({"attempts": 2, "tries_left": 1}, ("retrying", "bpm")),
    "done": ({"attempts": 1, "done_at": datetime.datetime(2023, 9, 1, tzinfo=datetime.UTC)}, ("done", "bpm")),
    "failed": ({"attempts": 3, "tries_left": 0, "definite": True, "error_code": "smtp_554"}, ("failed", "bpm")),
    "failed, a repeat": ({"state": "failed", "repeat": True}, ("failed", "")),
    "closed": ({"attempts": 1}, ("closed", "")),
    "done, replaced": ({"state": "done", "superseded": True}, ("done", "")),
    "failed, replaced": ({"state": "failed", "superseded": True}, ("closed", "")),
}


@pytest.mark.parametrize("case", FATES)
def test_a_mail_has_the_state_of_its_step(before, planned, case):
    fields, (state, cause) = FATES[case]
    order = make.OrderFactory()
    old = planned(order, **{"state": case, "about": {"because": "files"}, "error_params": {"reply": 554}} | fields)
    for _again in range(2):  # it may run again after it was stopped
        [row] = carry(before)
        assert (row.state, row.cause, row.kind, row.order_id, row.addressee) == (state, cause, SENT, order.pk, "")
        assert {name: getattr(row, name) for name in OVER.SAME} == {name: getattr(old, name) for name in OVER.SAME}
        assert (row.subject, row.body, row.recipients[0]) == ("工单", "正文", "sa@example.com")
        assert (row.next_try_at, row.sent_at) == (old.next_try_at, old.done_at)
        assert row.fate in ({"from": "old@example.com"}, {} if state == "done" else None)
        assert column_of(row) == (old.pk if state == "closed" else None)
    step = Dispatch.objects.get(pk=old.pk)
    assert (step.state, step.superseded) == ("closed" if old.state in OVER.OPEN else old.state, True)


def test_what_has_not_gone_out_goes_out_once(before, planned, smtp):  # noqa: F811
    """Whoever got it before gets no repeat; one that was never tried gets its text now."""
    first, second = make.OrderFactory(number="A1"), make.OrderFactory(number="A2")
    got = {"got": ["sa@example.com"], "refused": [], "to": ["zhao@example.com"]}
    old = planned(first, "retrying", attempts=1, payload=got)
    planned(second, "due", step=HELD, written=False, about={"because": "files"})
    carry(before)
    assert (send_mails(), send_mails()) == (2, 0)
    told = {recipients[0]: message for recipients, message in smtp.got}
    assert set(told) == {"zhao@example.com", "desk@example.com"}
    assert told["zhao@example.com"]["Message-ID"] == f"<{old.key}@ibs-order-desk>"
    assert "A2" in told["desk@example.com"]["Subject"]
    assert set(Mail.objects.values_list("state", flat=True)) == {"done"}


def test_one_that_waits_for_its_cause_is_written_when_that_is_there(desk, before, planned, smtp):  # noqa: F811
    desk.play(trial("T1"))
    desk.post(activation("A1", "a.example.com"))
    row = planned(desk.order("A1"), "waiting", written=False)
    assert not carry(before)
    assert Dispatch.objects.get(pk=row.pk).state == "closed"
    desk.wait_out()
    assert (desk.state("A1"), desk.mails("A1", SENT), len(smtp.got)) == ("active", 1, 1)
    assert f"{SENT}:done" in desk.steps("A1", mails=True)


def test_an_order_that_was_told_is_not_told_again(desk, before, planned):
    desk.play(trial("T1"), activation("A1", "a.example.com"))
    Mail.objects.all().delete()
    planned(desk.order("A1"), "done", attempts=1)
    planned(desk.order("A1"), "done", attempts=1, repeat=True)
    carry(before)
    tell_accepted([desk.step("A1", "start_bpm")], now=timezone.now())
    assert desk.mails("A1", SENT) == 2
    compensate(number="A1", reason="wrong", by="staff:x", now=timezone.now())
    desk.wait_out()
    call_command("resend", "A1")
    desk.wait_out()
    assert (desk.state("A1"), desk.mails("A1", SENT)) == ("active", 2)


def test_one_that_was_given_up_needs_somebody_until_it_is_sent_again(desk, before, planned, capsys):
    order = make.OrderFactory(number="A1", state="active")
    planned(order, "failed", attempts=3, error_code="smtp_554", error="no")
    now = timezone.now()
    open_incident(order, partner="mail", step=SENT, code="smtp_554", detail="no", now=now, mail=False)
    carry(before)
    assert (failed_steps().count(), failed_mails().count(), desk.troubles("A1")) == (0, 1, ["smtp_554"])
    call_command("resend", "A1", channel="mail")
    assert f"A1 {SENT}: will send" in capsys.readouterr().out
    assert send_mails() == 1
    assert (failed_mails().count(), desk.troubles("A1"), Incident.objects.get().state) == (0, [], "resolved")


@pytest.mark.parametrize("recorded", [True, False], ids=["it tells how it ended", "it dies"])
def test_one_that_a_worker_of_the_version_before_is_sending_waits_for_it(before, planned, monkeypatch, clock, recorded):
    old = planned(make.OrderFactory(), "sending", attempts=1, next_try_at=timezone.now() + MINUTE)
    Attempt.objects.update(outcome="")
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if recorded:
            type(old).objects.filter(pk=old.pk).update(state="done", next_try_at=None, done_at=timezone.now())
            Attempt.objects.update(outcome="ok")
        else:
            clock.shift(MINUTE)

    monkeypatch.setattr(OVER.time, "sleep", wait)
    [row] = carry(before)
    assert (row.state, len(waited)) == ("done" if recorded else "sending", 1)
    assert Attempt.objects.get().outcome == ("ok" if recorded else "lost")
    assert send_mails() == (0 if recorded else 1)


def test_two_of_one_kind_do_not_stand_in_each_other_s_way(before, planned):
    order = make.OrderFactory()
    make.MailFactory(order=order, cause="bpm")
    rows = [planned(order, state, step=step) for state in ("done", "due") for step in (SENT, HELD)]
    causes = dict(carry(before).filter(cause__startswith="step ").values_list("cause", "state"))
    assert causes == {f"step {row.pk}": "done" if row.state == "done" else "due" for row in rows}


def test_repeats_and_closed_mails_have_no_cause_however_many_there_are(before, planned):
    order = make.OrderFactory()
    for repeat in (True, True, False, False):
        planned(order, "failed" if repeat else "closed", repeat=repeat, attempts=1)
    assert [row.cause for row in carry(before)] == [""] * 4
    assert not failed_mails().exists()


def test_their_steps_and_attempts_are_still_shown(before, planned, admin_client, capsys):
    order = make.OrderFactory(number="A1")
    rows = [planned(order, state, attempts=1) for state in ("done", "failed", "closed")]
    carry(before)
    pages = [reverse("admin:orders_order_change", args=[order.pk]) + f"?tab={tab}" for tab in ("overview", "mails")]
    pages += [reverse(f"admin:{name}_changelist") for name in ("orders_dispatch", "orders_attempt")]
    pages += [reverse("admin:notifications_mail_changelist")]
    begun = timezone.localdate(Attempt.objects.first().started_at)
    pages += [reverse("admin:calls") + f"?day={begun}"]
    pages += [reverse("admin:orders_dispatch_change", args=[row.pk]) for row in rows]
    pages += [reverse("admin:orders_attempt_change", args=[row.pk]) for row in Attempt.objects.all()]
    pages += [reverse("admin:notifications_mail_change", args=[row.pk]) for row in Mail.objects.all()]
    answers = {page: admin_client.get(page) for page in pages}
    assert {page: answer.status_code for page, answer in answers.items() if answer.status_code != 200} == {}
    shown = [answers[page].content.decode() for page in pages]
    with override("zh-hans"):
        name = str(Dispatch.Step(SENT).label)
    assert [text.count('<pre class="payload">正文') for text in shown[:2]] == [0, 3]
    assert min(text.count(name) for text in shown[2:4]) >= 3
    assert name in shown[5]
    assert all(word in shown[4] for word in ("已发送", "失败", "已关闭"))
    for command in (["show", "A1"], ["resend", "A1", "--dry-run", "--force"]):
        call_command(*command)
    assert SENT in capsys.readouterr().out
