"""The page with the button for test calls. Administrators make the same calls as `status --probe`, and get an answer
within seconds even if a partner does not answer.
"""

import re
import time

import pytest
from django.core import mail
from django.urls import reverse

from integrations.delivery.loop import drain
from orders.models import OrderEvent
from tests.admin.latin import Shown, latin
from tests.admin.test_calls_page import figures
from tests.harness.ports import free_port

pytestmark = pytest.mark.django_db
URL = "/admin/probes/"
ASKED = ["数据库", "大数据侧：查询一次", "BPM：是否应答", "邮件服务器：是否可连接", "文件：是否可写入", "时钟"]


@pytest.fixture
def boss(member):
    return member("管理员")


def told(answer):
    assert answer.status_code == 200
    return {what: (outcome, float(seconds)) for what, (outcome, seconds) in figures(answer.content.decode()).items()}


def test_it_asks_everything_and_notes_who_asked(boss, sandbox_over_http):
    page = boss.get(URL).content.decode()
    assert sandbox_over_http.calls("/bigdata/productInfos/query") == []
    assert all(what in page for what in (*ASKED, f'href="{URL}"'))  # the menu has a link to this page
    found = told(boss.post(URL))
    assert list(found) == ASKED
    assert {outcome for outcome, _seconds in found.values()} == {"正常"}
    assert len(sandbox_over_http.calls("/bigdata/productInfos/query")) == 1
    [event] = OrderEvent.objects.filter(kind="partners_probed")
    assert event.actor == f"staff:{boss.person.username}"


def test_a_trouble_is_told_in_words_and_without_addresses(boss, sandbox_over_http, settings, tmp_path):
    sandbox_over_http.fault(path="/bigdata/productInfos/query", kind="503")
    closed = free_port()
    settings.BPM_BASE_URL = f"http://reader:pass-of-bpm@127.0.0.1:{closed}/bpm"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_PASSWORD = "127.0.0.1", closed, "pass-of-mail"
    (tmp_path / "full").touch()
    settings.EXPORT_DIR = tmp_path / "full"
    answer = boss.post(URL)
    found = {what: outcome for what, (outcome, _seconds) in told(answer).items() if outcome != "正常"}
    assert list(found) == [ASKED[1], ASKED[2], ASKED[3], ASKED[4]]
    assert "http_503" in found[ASKED[1]]
    assert "EXPORT_DIR" in found[ASKED[4]]
    shown = answer.content.decode().partition('id="content-main"')[2].partition("</form>")[0]
    assert not re.search(rf"pass-of|{closed}|127\.0\.0\.1", shown)
    assert latin(Shown(shown).texts) == []


def test_a_partner_that_hangs_does_not_hold_the_page(boss, sandbox_over_http, settings, monkeypatch):
    """A partner does not answer, and its time-out is 20 s. The page answers earlier."""
    monkeypatch.setattr("project.dashboard.probes_page.LONGEST", 0.5)
    settings.PARTNER_TIMEOUT_SECONDS = 20
    sandbox_over_http.fault(path="/bigdata/productInfos/query", kind="slow", seconds=8)
    began = time.monotonic()
    found = told(boss.post(URL))
    assert time.monotonic() - began < 6
    assert found[ASKED[1]][0].startswith("有问题 对接方应答超时")
    assert found[ASKED[0]][0] == "正常"


def test_a_second_run_waits_for_the_cool_down(boss, sandbox_over_http, clock):
    boss.post(URL)
    answer = boss.post(URL)
    assert "刚刚已做过连接测试" in answer.content.decode()
    assert figures(answer.content.decode()) == {}
    assert len(sandbox_over_http.calls("/bigdata/productInfos/query")) == 1
    assert OrderEvent.objects.filter(kind="partners_probed").count() == 1
    clock.shift(31)
    assert list(told(boss.post(URL))) == ASKED


@pytest.mark.parametrize("role, letters", [("工程师", None), ("业务人员", None), ("管理员", ["BJ"])])
def test_others_may_not(member, sandbox_over_http, role, letters):
    staff = member(role, letters=letters)
    assert staff.get(URL).status_code == 403
    assert staff.post(URL, {"mail": "1"}).status_code == 403
    assert staff.post(URL).status_code == 403
    assert sandbox_over_http.calls("/bigdata/productInfos/query") == []
    assert reverse("admin:probes") not in staff.get(reverse("admin:index")).content.decode()


def test_a_forged_request_is_refused(boss, sandbox_over_http):
    boss.handler.enforce_csrf_checks = True
    assert boss.post(URL).status_code == 403
    assert sandbox_over_http.calls("/bigdata/productInfos/query") == []


def test_a_test_mail_goes_to_ones_own_address_once_in_thirty_seconds(boss, clock):
    boss.person.email = "boss@example.com"
    boss.person.save()
    assert "测试邮件已提交" in boss.post(URL, {"mail": "1"}, follow=True).content.decode()
    assert "刚刚已发送过测试邮件" in boss.post(URL, {"mail": "1"}, follow=True).content.decode()
    drain(seconds=None, linger=False)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["boss@example.com"], "【IBS 订单台】测试邮件")
    [event] = OrderEvent.objects.filter(kind="test_mail_sent")
    assert event.actor == f"staff:{boss.person.username}"
    clock.shift(31)
    assert "测试邮件已提交" in boss.post(URL, {"mail": "1"}, follow=True).content.decode()


def test_an_account_without_an_address_is_told_so(boss):
    boss.person.email = ""
    boss.person.save()
    assert "您的账号没有邮箱" in boss.post(URL, {"mail": "1"}, follow=True).content.decode()
    assert not OrderEvent.objects.filter(kind="test_mail_sent").exists()
