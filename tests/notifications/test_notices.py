"""Mails to staff: they are stored in the same transaction as what they report, sent once under one Message-ID, and
shown if they were given up.
"""

import datetime
import uuid

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from integrations.delivery import write_and_send_mail as delivery
from integrations.delivery.channels import send_step
from integrations.delivery.circuit_breaker import open_partners
from integrations.delivery.write_and_send_mail import write_mail
from notifications.mail_rendering import ENDINGS
from notifications.models import Mail
from notifications.sending import MailError
from orders.incidents.incidents import open_incident
from orders.mails.mail_resend import resend_mail
from orders.mails.notices import notify_staff
from orders.models import Incident, OrderEvent, Timeline
from orders.outbox.outcome import Outcome
from orders.sending.mail_claim_and_record import claim_mails, record_mails
from project.models import User
from tests import factories as make
from tests.admin.conftest import member  # noqa: F401  a fixture
from tests.flows.test_mail import smtp  # noqa: F401  a fixture: an SMTP server in this process
from tests.mails import send_mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
LEASE_OVER = datetime.timedelta(seconds=61)


@pytest.fixture(autouse=True)
def site(settings):
    settings.SITE_URL = "https://desk.example.com"
    settings.DISPATCH_RETRY_SECONDS = [10, 100]
    settings.DISPATCH_LEASE_SECONDS = 60


def tell(*mails, order=None, **facts):
    people = [make.UserFactory(email=one) for one in mails or ["li@example.com"]]
    usual = {"number": 7, "name": "日报", "owner": "王五", "rows": "3", "missed": "", "until": "2023-09-27 08:00"}
    rows = notify_staff(
        people, "notice_export_ready", facts=usual | facts, path="/admin/x/", now=timezone.now(), order=order
    )
    return rows[0] if rows else None


def claim():
    return claim_mails(write=write_mail, room=50, now=timezone.now(), lease=datetime.timedelta(seconds=60))


def state(row):
    row.refresh_from_db()
    return row.state


@pytest.fixture
def broken(monkeypatch):
    """Returns a function. After `broken(error, ...)` the next mails fail with these errors, one each. Later mails are
    sent.
    """

    def fail(*errors):
        left = list(errors)
        real = delivery.send_in_time

        def send(payload):
            if left:
                raise left.pop(0)
            return real(payload)

        monkeypatch.setattr(delivery, "send_in_time", send)

    return fail


def later(code="smtp_451"):
    return MailError("later", permanent=False, code=code)


def test_it_goes_out_once_to_each(smtp):  # noqa: F811
    row = tell("li@example.com", "LI@example.com", "zhao@example.com", "no address", "")
    assert OrmQ.objects.count() == 1
    assert (send_mails(), send_mails()) == (2, 0)
    got = sorted((recipients, message["To"]) for recipients, message in smtp.got)
    assert got == [(["li@example.com"], "li@example.com"), (["zhao@example.com"], "zhao@example.com")]
    message = next(message for recipients, message in smtp.got if recipients == ["li@example.com"])
    assert message["Subject"].strip() == "【IBS 订单台】定时导出 7 已生成"
    assert "日报" in message.get_content()
    assert message["Message-ID"] == row.message_id
    assert "https://desk.example.com/admin/x/" in message.get_content()
    assert (state(row), row.attempts, row.sent_at, row.next_try_at) == ("done", 1, timezone.now(), None)


def test_nobody_is_told_twice_of_one_cause():
    person = make.UserFactory(email="li@example.com")
    other = make.UserFactory(email="zhao@example.com")
    order, facts = make.OrderFactory(), {"name": "x"}
    said: dict = {"facts": facts, "path": "/", "now": timezone.now()}
    assert len(notify_staff([person], "notice_export_ready", **said, cause="export 7")) == 1
    assert notify_staff([person], "notice_export_ready", **said, cause="export 7") == []
    assert len(notify_staff([person, other], "notice_export_ready", **said, cause="export 7")) == 1
    assert len(notify_staff([person], "notice_export_ready", **said, cause="export 7", order=order)) == 1
    assert notify_staff([person], "notice_export_ready", **said, cause="export 7", order=order) == []
    assert len(notify_staff([person], "notice_export_ready", **said)) == 1
    assert len(notify_staff([person], "notice_export_ready", **said)) == 1


def test_a_name_can_not_begin_a_line_of_its_own():
    row = tell(name="日报\nBcc: victim@example.com\r\n\r\n更多")
    assert "\n" not in row.subject
    assert "\nBcc" not in row.body


def test_it_is_written_with_what_it_tells():
    with transaction.atomic():
        tell()
        transaction.set_rollback(True)
    assert (Mail.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_retries_follow_the_outbox_s_schedule_under_one_message_id(smtp, clock, settings):  # noqa: F811
    settings.DISPATCH_RETRY_SECONDS = [10, 100]  # the fixture `smtp` has set other values
    smtp.answers = ["451 later", "451 later"]
    row = tell()
    send_mails()
    assert (state(row), row.error_code) == ("retrying", "smtp_451")
    clock.shift(8)
    assert send_mails() == 0
    clock.shift(4)
    send_mails()
    clock.shift(80)
    assert send_mails() == 0
    clock.shift(40)
    send_mails()
    assert (state(row), row.attempts, row.error) == ("done", 3, "")
    assert [message["Message-ID"] for _, message in smtp.got] == [row.message_id]


def test_when_the_tries_are_used_up_it_is_given_up_and_can_be_resent(member, broken, clock):  # noqa: F811
    broken(later(), later(), later())
    row = tell()
    for _ in range(4):
        send_mails()
        clock.shift(200)
    assert (state(row), row.attempts, row.next_try_at, mail.outbox) == ("failed", 3, None, [])
    incident = Incident.objects.unresolved().get(partner="mail")
    assert (incident.code, incident.affected.count()) == ("smtp_451", 0)
    engineer = member("工程师")
    listed = engineer.get(reverse("admin:notifications_mail_changelist") + "?state=failed")
    assert list(listed.context["cl"].result_list) == [row]
    page = reverse("admin:notifications_mail_change", args=[row.pk])
    shown = engineer.get(page).content.decode()
    assert "邮件未发出，系统不再自动重试" in shown
    assert "发给原收件人" in shown
    assert "li@example.com" not in shown
    resend = reverse("admin:notifications_mail_resend", args=[row.pk])
    assert "已重新发送" in engineer.post(resend, follow=True).content.decode()
    assert (state(row), OrderEvent.objects.get(kind="mail_resent").data["mail"]) == ("due", row.pk)
    send_mails()
    assert (state(row), [message.extra_headers["Message-ID"] for message in mail.outbox]) == ("done", [row.message_id])
    assert not Incident.objects.unresolved().exists()
    assert "未做任何操作" in engineer.post(resend, follow=True).content.decode()
    assert "resend-form" not in engineer.get(page).content.decode()


@pytest.mark.parametrize(
    "role, letters, status",
    [
        ("业务人员", None, 404),
        ("审计员", None, 403),
        ("管理员", None, 403),
        ("工程师", ["BJ"], 404),
        ("工程师", None, 302),
    ],
)
def test_who_may_resend(member, role, letters, status):  # noqa: F811
    row = make.MailFactory(order=None, kind="notice_alarm", state="failed")
    client = member(role, letters=letters)
    address = reverse("admin:notifications_mail_resend", args=[row.pk])
    assert client.post(address).status_code == status
    assert client.get(address).status_code == 405
    assert state(row) == ("due" if status == 302 else "failed")


def test_one_about_an_order_that_goes_out_after_all_ends_only_its_own_incident(smtp):  # noqa: F811
    order, now = make.OrderFactory(), timezone.now()
    open_incident(order, partner="order", step="", code="late_undo", now=now, detail="", mail=False)
    smtp.answers = ["554 never"]
    row = tell(order=order)
    send_mails()
    codes = order.troubles.unresolved().order_by("pk").values_list("incident__code", flat=True)
    assert list(codes) == ["late_undo", "smtp_554"]
    resend_mail(pk=row.pk, by="staff:x", now=now)
    send_mails()
    assert (state(row), list(codes.all())) == ("done", ["late_undo"])


def test_one_that_goes_out_does_not_hide_another_of_its_order_that_was_given_up(smtp):  # noqa: F811
    order, now = make.OrderFactory(), timezone.now()
    smtp.answers = ["554 never"]
    for name in ("li", "zhao"):
        tell(f"{name}@example.com", order=order)
        send_mails()
    troubles = order.troubles.unresolved()
    assert list(troubles.values_list("incident__code", flat=True)) == ["smtp_554"]
    resend_mail(pk=Mail.objects.get(state="failed").pk, by="staff:x", now=now)
    send_mails()
    assert not troubles.exists()


def test_a_refusal_for_good_is_given_up_at_once(smtp, clock):  # noqa: F811
    smtp.answers = ["554 never"]
    row = tell()
    send_mails()
    assert (state(row), row.error_code) == ("failed", "smtp_554")
    clock.shift(10**6)
    assert send_mails() == 0


def test_nobody_to_tell_makes_no_notice_and_an_account_that_may_not_log_in_is_not_told():
    assert tell("no address", "") is None
    assert (Mail.objects.count(), OrmQ.objects.count()) == (0, 0)
    people = [make.UserFactory(email="a@example.com", is_staff=False), make.UserFactory(email="b@example.com")]
    [row] = notify_staff(people, "notice_export_ready", facts={"name": "x"}, path="/", now=timezone.now())
    assert row.recipients == ["b@example.com"]


@pytest.mark.parametrize("lost", [{"is_active": False}, {"is_staff": False}, {"email": "new@example.com"}])
def test_who_may_not_log_in_any_more_is_not_told_later(broken, smtp, clock, lost):  # noqa: F811
    """The mail server is away at first. Whoever may no longer log in when the mail is sent again does not get it. An
    address that belongs to no account gets it.
    """
    gone, row = tell("li@example.com", "Zhao@example.com"), Mail.objects.latest("pk")
    broken(later(), later())
    send_mails()
    User.objects.filter(email="li@example.com").update(**lost)
    clock.shift(datetime.timedelta(seconds=11))
    send_mails()
    assert [recipients for recipients, _message in smtp.got] == [["Zhao@example.com"]]
    assert (state(row), row.recipients) == ("done", ["Zhao@example.com"])
    assert (state(gone), gone.error_code) == ("failed", "no_recipients")


def test_one_whose_readers_are_all_gone_is_given_up(smtp):  # noqa: F811
    row = tell("li@example.com")
    User.objects.update(is_active=False)
    send_mails()
    assert (state(row), row.error_code, smtp.got) == ("failed", "no_recipients", [])


@pytest.mark.whole
def test_an_outage_opens_the_breaker_and_uses_up_no_try(broken, clock, settings):
    settings.BREAKER_FAILURES = 4
    broken(*[later("connection")] * 400)
    rows = [tell(f"p{number}@example.com") for number in range(4)]
    for _ in range(20):  # without the circuit breaker, the tries would be used up within two minutes
        send_mails()
        clock.shift(20)
    assert {state(row) for row in rows} == {"retrying"}
    incident = Incident.objects.unresolved().get()
    assert (incident.partner, incident.code) == ("mail", "breaker_open")


def test_failures_in_a_row_count_from_their_first_not_from_a_mail_s_first_try(broken, clock, settings):
    settings.DISPATCH_RETRY_SECONDS = [900, 900, 900]
    for number in range(3):
        tell(f"p{number}@example.com")
    for code, shut in (("smtp_451", set()), ("timeout", set()), ("timeout", {"mail"})):
        broken(*[later(code)] * 3)
        send_mails()
        assert open_partners() == shut
        clock.shift(1000)


def test_one_that_waits_can_be_sent_at_once(member, broken, clock):  # noqa: F811
    """A mail that waits for a retry can be sent at once, also if the clock was years ahead for a moment and the retry
    is therefore far away.
    """
    row = tell()
    Mail.objects.update(next_try_at=timezone.now() + datetime.timedelta(days=3000))
    engineer = member("工程师")
    assert "resend-form" in engineer.get(reverse("admin:notifications_mail_change", args=[row.pk])).content.decode()
    engineer.post(reverse("admin:notifications_mail_resend", args=[row.pk]))
    assert send_mails() == 1
    assert state(row) == "done"


def test_ones_that_lost_their_workers_hide_none_that_is_due():
    lost = {"state": "sending", "lost": 5, "next_try_at": timezone.now() - LEASE_OVER}
    for _ in range(25):
        make.MailFactory(order=None, kind="notice_alarm", lease_token=uuid.uuid4(), **lost)
    row = tell()
    assert send_mails() == 1
    assert state(row) == "done"
    assert Mail.objects.filter(error_code="lost", state="failed").count() == 25


def test_a_fault_of_ours_stops_no_other_notice(broken, caplog):
    broken(ZeroDivisionError())
    first, second = tell(), tell("zhao@example.com")
    send_mails()
    assert (state(first), first.error_code, state(second)) == ("retrying", "internal", "done")
    assert "ZeroDivisionError" in caplog.text


def test_an_ending_that_can_not_be_made_stops_no_other_mail(monkeypatch, caplog):
    def ending(row):
        raise ZeroDivisionError

    monkeypatch.setitem(ENDINGS, "notice_test", ending)
    wrong, fine = tell(), tell("zhao@example.com")
    Mail.objects.filter(pk=wrong.pk).update(kind="notice_test")
    assert send_mails() == 2
    assert (state(wrong), wrong.error_code, state(fine)) == ("failed", "payload", "done")
    assert "ZeroDivisionError" in caplog.text


def test_a_worker_that_died_after_sending_leads_to_the_same_message_id(clock):
    """A worker dies after it has sent a mail. At most a second mail with the same Message-ID follows, and a mail
    program shows the two as one.
    """
    row = tell()
    [work] = claim()
    send_step(work)  # as if the worker died before it could store the result
    assert send_mails() == 0  # the lease of the worker has not run out
    clock.shift(LEASE_OVER)
    assert send_mails() == 1
    assert [message.extra_headers["Message-ID"] for message in mail.outbox] == [row.message_id] * 2
    assert (state(row), row.attempts) == ("done", 2)


def test_who_was_only_slow_changes_nothing_any_more(clock):
    row = tell()
    [slow] = claim()
    clock.shift(LEASE_OVER)
    send_mails()
    record_mails([Outcome.of(slow, "retry", code="smtp_451")], now=timezone.now())
    assert (state(row), row.error) == ("done", "")


def test_one_that_kills_its_workers_goes_alone_and_is_given_up(clock):
    row = tell()
    assert claim()
    clock.shift(LEASE_OVER)
    other = tell("zhao@example.com")
    for _ in range(5):
        [work] = claim()
        assert (work.dispatch_id, work.alone) == (row.pk, True)
        clock.shift(LEASE_OVER)
    assert send_mails() == 1
    assert (state(row), row.error_code, state(other)) == ("failed", "lost", "done")


def test_a_pause_of_mail_holds_it_back():
    pause = make.PauseFactory(partner="mail", resumed_at=None)
    row = tell()
    assert (send_mails(), state(row), row.attempts) == (0, "due", 0)
    pause.resumed_at = timezone.now()
    pause.save()
    assert send_mails() == 1


def test_a_restored_desk_tells_nobody():
    tell()
    Timeline.objects.create(begun_at=timezone.now(), restored_at=timezone.now())
    assert send_mails() == 0


def test_the_sweep_finds_one_whose_task_was_lost():
    row = tell()
    OrmQ.objects.all().delete()
    tasks.sweep()
    assert state(row) == "done"


def test_those_that_went_out_long_ago_are_removed():
    old = timezone.now() - datetime.timedelta(days=181)
    for state, written_at in [("done", old), ("failed", old), ("done", timezone.now())]:
        make.MailFactory(order=None, state=state, written_at=written_at)
    assert "1 notices" in tasks.tidy()
    assert Mail.objects.count() == 2
