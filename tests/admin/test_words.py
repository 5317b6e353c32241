"""The English of our logs and rows never reaches staff: errors, events and permissions have words of their own."""

import ast
import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from orders.attachments import check
from orders.order_page.error_messages import said
from orders.order_page.history import WORDS, tell
from orders.order_page.refusals import refusal
from tests import factories
from tests.admin.orders import billed, deciding, held_for_files, page, step

ROOT = Path(__file__).resolve().parent.parent.parent
ENGLISH = re.compile(r"\b(?!xlsx|xls|MiB|BPM|IBS|BBOSS|YYYYMMDDHHMMSS)[A-Za-z]{3,}\b")


@pytest.fixture(autouse=True)
def in_chinese():
    with translation.override("zh-hans"):
        yield


@pytest.mark.parametrize(
    "error, told",
    [
        ("answered HTTP 200, code 400: 域名未备案", "域名未备案"),
        ("answered HTTP 503", ""),
        ("answered HTTP 200 with a body that is not a JSON object", ""),
        ("no complete answer in time (HTTPConnectionPool(host='x', port=1): Read timed out.)", ""),
        ("no connection (Connection refused)", ""),
        ("mail server: SMTPDataError (550, 'no such user')", "SMTPDataError (550, 'no such user')"),
        ("对方自己的话", "对方自己的话"),
        ("withdrawn", "已撤单"),
        (
            "domains: BPM has a.cn, b.cn, now a.cn; start: BPM has at once, now 2023-09-30",
            "域名：BPM 为 a.cn, b.cn，现为 a.cn；开始时间：BPM 为 立即开通，现为 2023-09-30",
        ),
        ("a.xlsx: no such file in the attachment folder", "a.xlsx：附件目录中没有此文件"),
        ("22000000 bytes, at most 20971520 (20 MiB) are allowed", "22000000 字节，超过上限 20 MiB"),
    ],
)
def test_an_error_in_words(error, told):
    assert said(error) == told


@pytest.mark.parametrize("code", check.MESSAGES)
def test_a_file_s_finding_is_told_in_chinese(code):
    told = said(check.MESSAGES[code])
    assert told
    assert not ENGLISH.search(told)


@pytest.mark.parametrize(
    "why, told",
    [
        ("not allowed, because A1 is first", "不允许：A1 已是首次开通单。"),
        ("order A2: not allowed, because BPM rejected it", "不允许：BPM 已驳回。"),
        ("not allowed, because its trial is withdrawn", "不允许：其试用单已关闭（已撤单）"),
        ("a pass counts for order A1 already", "该订单已按通过处理。"),
        ("something new", ""),
    ],
)
def test_a_refusal_in_words(why, told):
    assert refusal(why) == told


def test_every_reason_against_opening_has_words():
    """The reasons of `why_not_open`, except the one for which the decision has no button at all."""
    source = (ROOT / "orders" / "services" / "opening.py").read_text(encoding="utf-8")
    given = set(re.findall(r'return f?"(not allowed, because [^"]*)"', source))
    assert len(given) > 6
    without = {why for why in given if not refusal(re.sub(r"\{[^}]*\}", "withdrawn", why))}
    assert without == {"not allowed, because only activations are sent anew"}


def kinds_written() -> set[str]:
    """The kinds of event that the code writes as plain words."""
    found = set()
    for folder in ("orders", "integrations"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                named = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"add_event", "event", "_save"}
                if named and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                    found.add(node.args[1].value)
    return found


def test_every_kind_of_event_has_its_words():
    assert len(kinds_written()) > 20
    assert kinds_written() - set(WORDS) == set()


@pytest.mark.django_db
def test_an_event_tells_why(admin_client):
    order = factories.OrderFactory()
    row = factories.OrderEventFactory(
        order=order, kind="undo_mark", actor="worker", data={"why": "start_bpm: code_400"}
    )
    assert "对方认为订单内容有误" in tell(row).what
    row = factories.OrderEventFactory(
        order=order, kind="step_retrying", actor="worker",
        data={"step": "create_billing", "code": "timeout", "message": "no complete answer in time (x)"},
    )  # fmt: skip
    assert tell(row).more == "对接方应答超时。"
    text = admin_client.get(reverse("admin:orders_orderevent_changelist")).content.decode()
    assert "step_retrying" not in text
    assert "工作进程" in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "who, kinds",
    [
        ("", {"note", "step_done", "mail_sent", "incident"}),
        ("people", {"note"}),
        ("system", {"step_done", "mail_sent", "incident"}),
        ("mail", {"mail_sent"}),
        ("errors", {"incident"}),
    ],
)
def test_the_events_filter_is_a_link(admin_client, who, kinds):
    order = factories.OrderFactory()
    for kind, actor in (("note", "staff:li"), ("step_done", "worker"), ("mail_sent", "worker"), ("incident", "system")):
        factories.OrderEventFactory(order=order, kind=kind, actor=actor, data={})
    answer = admin_client.get(page(order, f"?tab=events&who={who}"))
    assert {one.row.kind for one in answer.context["told"]} == kinds
    text = answer.content.decode()
    for key in ("people", "system", "mail", "errors"):
        assert f"tab=events&amp;who={key}" in text


@pytest.mark.django_db
def test_records_of_unknown_fate_are_explained(admin_client):
    order = billed()
    factories.BillingRecordFactory(order=order, state="unknown", product_id="2")
    text = admin_client.get(page(order, "?tab=billing")).content.decode()
    assert "结果未知 1" in text
    assert "没有明确应答" in text


@pytest.mark.django_db
def test_a_waiver_names_the_finding_and_a_withdrawal_the_process(admin_client):
    text = admin_client.get(deciding(held_for_files(), "waive")).content.decode()
    assert "缺少信安文件" in text
    order = billed()
    step(order, "start_bpm", position=2, done_at=timezone.now())
    assert "不会终止 BPM 中的流程" in admin_client.get(deciding(order, "withdraw")).content.decode()


@pytest.mark.django_db
def test_a_role_s_permissions_are_read_in_chinese(member):
    staff = member("管理员")
    group = staff.person.groups.get()
    text = staff.get(reverse("admin:auth_group_change", args=[group.pk])).content.decode()
    assert "订单 · 订单：重新发送失败步骤" in text
    assert "Can view" not in text
