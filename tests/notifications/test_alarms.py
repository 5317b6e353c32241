"""Alarms by mail: one mail when an alarm has lasted, and one when it is over. They go only to the default contact."""

import datetime

import pytest
from django.core import mail
from django.utils import timezone

from integrations import tasks
from integrations.models import Breaker
from integrations.worker.heartbeat import beat
from notifications.models import Mail
from orders.incidents.desk_incidents import open_desk_incident
from project.models import OpenAlarm
from tests.mails import send_mails
from tests.worker.periodic import replace_parts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings):
    settings.DEFAULT_CONTACT_MAIL = "ops@example.com"
    settings.SITE_URL = "https://desk.example.com"


def look() -> list[str]:
    """Runs the check that the worker makes every five minutes. Returns the subjects of the mails that it writes."""
    beat("one")
    told = Mail.objects.count()
    tasks.look_at_files()
    return list(Mail.objects.order_by("pk").values_list("subject", flat=True)[told:])


def open_breaker(partner="bpm"):
    return Breaker.objects.update_or_create(partner=partner, defaults={"opened_at": timezone.now(), "last_error": "x"})


def test_a_quiet_desk_mails_nothing():
    assert (look(), look(), OpenAlarm.objects.count()) == ([], [], 0)


def test_an_alarm_is_mailed_once_and_once_when_it_is_over():
    open_breaker()
    assert look() == []
    Breaker.objects.all().delete()
    assert (look(), OpenAlarm.objects.count()) == ([], 0)  # the alarm was over before it was mailed
    open_breaker()
    assert look() == []  # a first check sends no mail, because the alarm may be over soon
    assert look() == ["【IBS 订单台】告警：对方已有一段时间没有应答，发往对方的调用暂时等待。"]
    open_breaker("bigdata")
    assert look() == []
    assert len(look()) == 1  # about the second partner only
    Breaker.objects.all().delete()
    assert [subject.partition("：")[0] for subject in look()] == ["【IBS 订单台】告警已解除"] * 2
    assert (look(), OpenAlarm.objects.count()) == ([], 0)


def test_one_that_is_over_before_it_could_be_mailed_is_one_mail(settings):
    """If an alarm is over before its mail is sent, only the mail about the end is sent. Such a mail always says when
    the alarm began and ended.
    """
    open_breaker()
    look(), look()
    Breaker.objects.all().delete()
    assert len(look()) == 1
    send_mails()
    assert [sent.subject.partition("：")[0] for sent in mail.outbox] == ["【IBS 订单台】告警已解除"]
    assert "开始于: " in mail.outbox[0].body
    assert "结束于: " in mail.outbox[0].body
    assert [row.state for row in Mail.objects.order_by("pk")] == ["closed", "done"]
    open_breaker()
    look(), look(), send_mails()
    Breaker.objects.all().delete()
    look(), send_mails()
    assert [sent.subject.partition("：")[0].partition("】")[2] for sent in mail.outbox[1:]] == ["告警", "告警已解除"]


def test_a_critical_one_is_mailed_at_once(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.STATE_DIR = tmp_path / "file" / "state"
    assert look() == ["【IBS 订单台】告警：订单台无法写入其状态目录：数据库被恢复时将不会被发现。"]


def test_an_incident_of_the_desk_is_told():
    open_desk_incident("disk_low", params={"free": 1, "least": 2}, now=timezone.now())
    look()
    assert look() == ["【IBS 订单台】告警：有磁盘即将写满。"]


def test_the_default_contact_gets_it_though_it_has_no_account_and_reads_since_when(settings):
    settings.DEFAULT_CONTACT_MAIL = "Ops@example.com"
    open_breaker()
    Breaker.objects.update(opened_at=timezone.make_aware(datetime.datetime(2023, 9, 20, 3, 14)))
    look(), look()
    send_mails()
    (sent,) = mail.outbox
    assert sent.to == ["Ops@example.com"]
    for words in (
        "关于: bpm",
        "供工程师参考: PartnerDown: the breaker of bpm is open",
        "https://desk.example.com/admin/",
        "2023-09-20 03:14",
    ):
        assert words in sent.body


def test_without_a_contact_nothing_is_written(settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    open_breaker()
    assert (look(), look(), OpenAlarm.objects.count()) == ([], [], 0)


def fail(*, now):
    raise ZeroDivisionError


def test_a_look_that_fails_stops_no_files(monkeypatch, caplog):
    replace_parts(monkeypatch, watch_alarms=fail)
    assert tasks.look_at_files() == "0 orders looked at again"
    assert "ZeroDivisionError" in caplog.text
