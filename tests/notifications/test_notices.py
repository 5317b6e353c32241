"""Notices to staff: written with what they tell, sent once under one Message-ID, and shown if they were given up."""

import datetime
import uuid

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import OrmQ

from integrations import tasks
from integrations.delivery import notices as delivery
from integrations.worker.lease_lock import Lease
from notifications.models import Notice
from notifications.sending import MailError
from orders.models import OrderEvent, Timeline
from orders.services.notices import claim_notice, notify_staff, record_notice, resume_notices
from project.models import User
from tests import factories as make
from tests.admin.conftest import member  # noqa: F401  a fixture
from tests.flows.test_mail import smtp  # noqa: F401  a fixture: an SMTP server in this process

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
LEASE_OVER = datetime.timedelta(seconds=61)


@pytest.fixture(autouse=True)
def site(settings):
    settings.SITE_URL = "https://desk.example.com"
    settings.DISPATCH_RETRY_SECONDS = [10, 100]
    settings.DISPATCH_LEASE_SECONDS = 60


def tell(*mails, **facts):
    people = [make.UserFactory(email=one) for one in mails or ["li@example.com"]]
    facts = {
        "number": 7,
        "name": "日报",
        "owner": "王五",
        "rows": "3",
        "missed": "",
        "until": "2023-09-27 08:00",
    } | facts
    rows = notify_staff(people, "notice_export_ready", facts=facts, path="/admin/x/", now=timezone.now())
    return rows[0] if rows else None


def state(row):
    row.refresh_from_db()
    return row.state


@pytest.fixture
def broken(monkeypatch):
    """`broken(error, ...)`: the next sendings end so; then they are good."""

    def fail(*errors):
        left = list(errors)
        real = delivery.send_in_time

        def send(payload):
            if left:
                raise left.pop(0)
            real(payload)

        monkeypatch.setattr(delivery, "send_in_time", send)

    return fail


def later(code="smtp_451"):
    return MailError("later", permanent=False, code=code)


def test_it_goes_out_once_to_each(smtp):  # noqa: F811
    row = tell("li@example.com", "LI@example.com", "zhao@example.com", "no address", "")
    assert OrmQ.objects.count() == 1
    assert tasks.send_notices() == "2 tried"
    assert tasks.send_notices() == "0 tried"
    assert [(recipients, message["To"]) for recipients, message in smtp.got] == [
        (["li@example.com"], "li@example.com"),
        (["zhao@example.com"], "zhao@example.com"),
    ]
    message = smtp.got[0][1]
    assert message["Subject"].strip() == "【IBS 订单台】定时导出 7 已生成"
    assert "日报" in message.get_content()
    assert message["Message-ID"] == row.message_id
    assert "https://desk.example.com/admin/x/" in message.get_content()
    assert (state(row), row.attempts, row.sent_at, row.next_try_at) == ("sent", 1, timezone.now(), None)


def test_a_name_can_not_begin_a_line_of_its_own():
    row = tell(name="日报\nBcc: victim@example.com\r\n\r\n更多")
    assert "\n" not in row.subject
    assert "\nBcc" not in row.body


def test_it_is_written_with_what_it_tells():
    with transaction.atomic():
        tell()
        transaction.set_rollback(True)
    assert (Notice.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_retries_follow_the_outbox_s_schedule_under_one_message_id(smtp, clock, settings):  # noqa: F811
    settings.DISPATCH_RETRY_SECONDS = [10, 100]
    smtp.answers = ["451 later", "451 later"]
    row = tell()
    tasks.send_notices()
    assert (state(row), row.error_code) == ("retrying", "smtp_451")
    clock.shift(8)
    assert tasks.send_notices() == "0 tried"
    clock.shift(4)
    tasks.send_notices()
    clock.shift(80)
    assert tasks.send_notices() == "0 tried"
    clock.shift(40)
    tasks.send_notices()
    assert (state(row), row.attempts, row.error) == ("sent", 3, "")
    assert [message["Message-ID"] for _, message in smtp.got] == [row.message_id]


def test_when_the_tries_are_used_up_it_is_given_up_and_can_be_resent(member, broken, clock):  # noqa: F811
    broken(later(), later(), later())
    row = tell()
    for _ in range(4):
        tasks.send_notices()
        clock.shift(200)
    assert (state(row), row.attempts, row.next_try_at, mail.outbox) == ("failed", 3, None, [])
    engineer = member("工程师")
    listed = engineer.get(reverse("admin:notifications_notice_changelist") + "?state__exact=failed")
    assert list(listed.context["cl"].result_list) == [row]
    page = reverse("admin:notifications_notice_change", args=[row.pk])
    shown = engineer.get(page).content.decode()
    assert "邮件未发出，系统不再自动重试" in shown
    assert "li@example.com" not in shown
    resend = reverse("admin:notifications_notice_resend", args=[row.pk])
    assert "已重新发送" in engineer.post(resend, follow=True).content.decode()
    assert (state(row), OrderEvent.objects.get(kind="notice_resent").data) == ("due", {"notice": row.pk})
    tasks.send_notices()
    assert (state(row), [message.extra_headers["Message-ID"] for message in mail.outbox]) == ("sent", [row.message_id])
    assert "未做任何操作" in engineer.post(resend, follow=True).content.decode()
    assert "resend-form" not in engineer.get(page).content.decode()


@pytest.mark.parametrize(
    "role, letters, status",
    [("业务人员", None, 403), ("审计员", None, 403), ("工程师", ["BJ"], 403), ("管理员", None, 302)],
)
def test_who_may_resend(member, role, letters, status):  # noqa: F811
    row = make.NoticeFactory(state="failed", sent_at=None)
    address = reverse("admin:notifications_notice_resend", args=[row.pk])
    client = member(role, letters=letters)
    assert client.post(address).status_code == status
    assert client.get(address).status_code == 405
    assert state(row) == ("due" if status == 302 else "failed")


def test_a_refusal_for_good_is_given_up_at_once(smtp, clock):  # noqa: F811
    smtp.answers = ["554 never"]
    row = tell()
    tasks.send_notices()
    assert (state(row), row.error_code) == ("failed", "smtp_554")
    clock.shift(10**6)
    assert tasks.send_notices() == "0 tried"


def test_nobody_to_tell_makes_no_notice():
    assert tell("no address", "") is None
    assert (Notice.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_an_account_that_may_not_log_in_is_not_told():
    people = [make.UserFactory(email="a@example.com", is_staff=False), make.UserFactory(email="b@example.com")]
    [row] = notify_staff(people, "notice_export_ready", facts={"name": "x"}, path="/", now=timezone.now())
    assert row.recipients == ["b@example.com"]


@pytest.mark.parametrize("lost", [{"is_active": False}, {"is_staff": False}, {"email": "new@example.com"}])
def test_who_may_not_log_in_any_more_is_not_told_later(broken, smtp, clock, lost):  # noqa: F811
    """The mail server was away meanwhile, or a person has it sent again. An address that nobody has goes too."""
    gone, row = tell("li@example.com", "Zhao@example.com"), Notice.objects.latest("pk")
    broken(later(), later())
    tasks.send_notices()
    User.objects.filter(email="li@example.com").update(**lost)
    clock.shift(datetime.timedelta(seconds=11))
    tasks.send_notices()
    assert [recipients for recipients, _message in smtp.got] == [["Zhao@example.com"]]
    assert (state(row), row.recipients) == ("sent", ["Zhao@example.com"])
    assert (state(gone), gone.error_code) == ("failed", "no_recipients")


def test_one_whose_readers_are_all_gone_is_given_up(smtp):  # noqa: F811
    row = tell("li@example.com")
    User.objects.update(is_active=False)
    tasks.send_notices()
    assert (state(row), row.error_code, smtp.got) == ("failed", "no_recipients", [])


def test_a_server_that_does_not_answer_ends_the_run(broken):
    """One worker waits once, and the next try is the next minute's."""
    broken(later("timeout"), later("timeout"))
    first, second = tell(), tell("zhao@example.com")
    OrmQ.objects.all().delete()
    assert tasks.send_notices() == "1 tried"
    assert (state(first), state(second)) == ("retrying", "due")
    assert not OrmQ.objects.exists()


def test_many_notices_are_one_task_and_one_sender(monkeypatch, clock):
    monkeypatch.setenv("DESK_CLUSTER", "mine")
    monkeypatch.setattr(Conf, "POLL", 0)
    for _ in range(30):
        tell()
    clock.shift(1)
    broker = get_broker()
    assert len([task for task in (broker.dequeue() for _ in range(5)) if task]) == 2
    other = Lease("notices")
    assert other.take()
    assert tasks.send_notices() == "0 tried"
    other.give_back()
    assert tasks.send_notices() == "30 tried"


def test_what_is_left_when_its_time_is_over_is_queued(monkeypatch):
    passed = [0.0]
    monkeypatch.setattr(delivery.time, "monotonic", lambda: passed[0])
    for _ in range(20):
        tell()
    OrmQ.objects.all().delete()
    monkeypatch.setattr(delivery, "send_in_time", lambda payload: passed.__setitem__(0, passed[0] + 3))
    assert tasks.send_notices() == "3 tried"
    assert OrmQ.objects.count() == 1


def test_an_outage_of_hours_uses_up_no_try(broken, clock):
    broken(*[later("connection")] * 40)
    row = tell()
    for _ in range(20):
        tasks.send_notices()
        clock.shift(3600)
    assert (state(row), row.attempts, row.error_code) == ("retrying", 0, "connection")
    for _ in range(10):
        tasks.send_notices()
        clock.shift(3600)
    assert state(row) == "failed"


def test_one_that_waits_can_be_sent_at_once(member, broken, clock):  # noqa: F811
    """Also after the clock stood years ahead for a moment."""
    row = tell()
    Notice.objects.update(next_try_at=timezone.now() + datetime.timedelta(days=3000))
    engineer = member("工程师")
    assert "resend-form" in engineer.get(reverse("admin:notifications_notice_change", args=[row.pk])).content.decode()
    engineer.post(reverse("admin:notifications_notice_resend", args=[row.pk]))
    assert tasks.send_notices() == "1 tried"
    assert state(row) == "sent"


def test_ones_that_lost_their_workers_hide_none_that_is_due():
    lost = {"state": "sending", "attempts": 99, "next_try_at": timezone.now() - LEASE_OVER, "sent_at": None}
    for _ in range(25):
        make.NoticeFactory(lease_token=uuid.uuid4(), **lost)
    row = tell()
    assert tasks.send_notices() == "1 tried"
    assert state(row) == "sent"


def test_partner_rate_holds_for_notices_too(monkeypatch):
    asked = []
    monkeypatch.setattr(delivery, "wait_for_slot", lambda partner, latest: asked.append(partner) or len(asked) < 3)
    for _ in range(4):
        tell()
    assert tasks.send_notices() == "2 tried"
    assert asked == ["mail"] * 3


def test_a_fault_of_ours_stops_no_other_notice(broken, caplog):
    broken(ZeroDivisionError())
    first, second = tell(), tell("zhao@example.com")
    tasks.send_notices()
    assert (state(first), first.error_code, state(second)) == ("retrying", "internal", "sent")
    assert "ZeroDivisionError" in caplog.text


def test_a_worker_that_died_after_sending_leads_to_the_same_message_id(clock):
    """At most a second mail of the same Message-ID: a mail program shows it once."""
    row = tell()
    claimed = claim_notice(now=timezone.now())
    delivery._send(claimed)  # and then it dies, before it could say so
    assert tasks.send_notices() == "0 tried"  # its lease has not run out
    clock.shift(LEASE_OVER)
    assert tasks.send_notices() == "1 tried"
    assert [message.extra_headers["Message-ID"] for message in mail.outbox] == [row.message_id] * 2
    assert (state(row), row.attempts) == ("sent", 2)


def test_who_was_only_slow_changes_nothing_any_more(clock):
    row = tell()
    slow = claim_notice(now=timezone.now())
    clock.shift(LEASE_OVER)
    tasks.send_notices()
    record_notice(slow, later(), now=timezone.now())
    assert (state(row), row.error) == ("sent", "")


def test_one_that_kills_its_workers_is_given_up(clock):
    row = tell()
    for _ in range(3):
        assert claim_notice(now=timezone.now())
        clock.shift(LEASE_OVER)
    assert tasks.send_notices() == "0 tried"
    assert (state(row), row.error_code) == ("failed", "lost")


def test_a_pause_of_mail_holds_it_back():
    pause = make.PauseFactory(partner="mail", resumed_at=None)
    row = tell()
    assert (tasks.send_notices(), state(row), row.attempts) == ("0 tried", "due", 0)
    pause.resumed_at = timezone.now()
    pause.save()
    assert tasks.send_notices() == "1 tried"


def test_a_restored_desk_tells_nobody():
    tell()
    Timeline.objects.create(begun_at=timezone.now(), restored_at=timezone.now())
    assert tasks.send_notices() == "0 tried"


def test_the_sweep_finds_one_whose_task_was_lost(broken, clock):
    broken(later())
    tell()
    OrmQ.objects.all().delete()
    resume_notices(now=timezone.now())
    assert OrmQ.objects.count() == 1
    tasks.send_notices()
    OrmQ.objects.all().delete()
    resume_notices(now=timezone.now())
    assert OrmQ.objects.count() == 0
    clock.shift(12)
    tasks.sweep()
    assert OrmQ.objects.count() == 1


def test_a_worker_that_has_to_end_begins_none(monkeypatch):
    tell()
    delivery.ending.set()
    try:
        assert tasks.send_notices() == "0 tried"
    finally:
        delivery.ending.clear()


def test_a_run_does_not_last(monkeypatch):
    """A worker that stops waits for its tasks, but not for long; what is left goes out with the next run."""
    monkeypatch.setattr(delivery, "BEGIN_FOR", 0.0)
    tell()
    assert tasks.send_notices() == "0 tried"


def test_those_that_went_out_long_ago_are_removed():
    old = timezone.now() - datetime.timedelta(days=181)
    for state, sent_at, written_at in [("sent", old, old), ("failed", None, old), ("sent", None, timezone.now())]:
        make.NoticeFactory(state=state, sent_at=sent_at, written_at=written_at)
    assert "1 notices" in tasks.tidy()
    assert Notice.objects.count() == 2
