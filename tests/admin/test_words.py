"""The English of our logs and rows never reaches staff: errors, events and permissions have Chinese texts of their
own.
"""

import ast
import re

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone, translation

from integrations.delivery.write_and_send_mail import mail_facts
from orders.attachments import check
from orders.lists.chosen_columns import columns_of
from orders.lists.registration import admin_of, exported_lists
from orders.office.trials.columns import trial_columns
from orders.order_words.error_details import detail_text, of_attempt
from orders.order_words.history import WORDS, describe
from orders.replanning.withdrawal import withdraw_by_staff
from orders.texts.error_messages import MESSAGES
from orders.texts.errors import ContentError, NotAllowedError
from tests import factories
from tests.admin.latin import latin
from tests.admin.orders import billed, deciding, held_for_files, page, step
from tests.sources import MODULES, nodes, source

CONTENT = "ProvContent: required: the trial has been activated already, name the new domains"
ENGLISH = re.compile(r"\b(?!xlsx|xls|MiB|BPM|IBS|BBOSS|YYYYMMDDHHMMSS)[A-Za-z]{3,}\b")


@pytest.fixture(autouse=True)
def in_chinese():
    with translation.override("zh-hans"):
        yield


@pytest.mark.parametrize(
    "params, told",
    [
        ({"code": "partner_words", "words": "域名未备案"}, "域名未备案"),
        ({"code": "partner_words", "words": "请联系13712345678"}, "请联系137***78"),
        ({"code": "cause_says_all"}, ""),
        ({}, "对方自己的话"),
        ({"code": "withdrawn"}, "已撤单"),
        (
            {
                "parts": [
                    {"code": "bpm_domains", "there": "a.cn, b.cn", "here": "a.cn"},
                    {"code": "bpm_start", "there": "at once", "here": "2023-09-30"},
                ]
            },
            "域名：BPM 为 a.cn, b.cn，现为 a.cn；开始时间：BPM 为 立即开通，现为 2023-09-30",
        ),
        ({"code": "file_missing", "file": "a.xlsx"}, "a.xlsx：附件目录中没有此文件"),
        ({"code": "file_size", "size": 22000000, "most": 20971520}, "22000000 字节，超过上限 20 MB"),
    ],
)
def test_an_error_in_words(params, told):
    assert detail_text("对方自己的话", params) == told


@pytest.mark.parametrize("verdict", check.VERDICTS)
def test_a_file_s_finding_is_told_in_chinese(verdict):
    told = detail_text("", check.VERDICTS[verdict])
    assert told
    assert not ENGLISH.search(told)


@pytest.mark.parametrize(
    "why, english, told",
    [
        (
            NotAllowedError("open_other_first", number="A1"),
            "not allowed, because A1 is first",
            "不允许：A1 已是首次开通单。",
        ),
        (
            NotAllowedError("decide_not_opened", number="A2", why=NotAllowedError("open_rejected")),
            "order A2: not allowed, because BPM rejected it",
            "不允许：BPM 已驳回。",
        ),
        (
            NotAllowedError("open_trial_closed", state="withdrawn"),
            "not allowed, because its trial is withdrawn",
            "不允许：其试用单已关闭（已撤单）",
        ),
        (NotAllowedError("pass_counts", number="A1"), "a pass counts for order A1 already", "该订单已按通过处理。"),
        (
            NotAllowedError("incident_state", incident=7, act="noted", state="resolved", code="x"),
            "incident 7 can't be noted: it is resolved",
            "未执行任何操作：该异常当前为“已解决”。",
        ),
        (ContentError("content_without_domains", field="ProvContent"), CONTENT, CONTENT.partition(": ")[2]),
        (NotAllowedError("something new"), "something new", "something new"),
    ],
)
def test_a_refusal_in_both_languages(why, english, told):
    assert str(why) == english
    assert why.words() == told


def test_every_reason_against_opening_has_words():
    """Each reason against opening an order again has a text for staff. The reason `open_no_activation` needs none,
    because the button of the decision is not shown then.
    """
    given = set(re.findall(r'NotAllowedError\("(\w+)"', source("orders/replanning/reopening.py")))
    assert len(given) > 6
    assert {code for code in given if not MESSAGES[code].words} == {"open_no_activation"}


def test_headers_of_files_are_told_apart_and_hold_no_latin_word():
    headers = {name: [str(column.label) for column in columns_of(admin_of(name)).values()] for name in exported_lists()}
    assert {name: twice for name, all_ in headers.items() if (twice := {x for x in all_ if all_.count(x) > 1})} == {}
    assert latin(sum(headers.values(), [])) == []
    assert latin(column.title for column in trial_columns().values()) == []


@pytest.mark.django_db
def test_an_attempt_tells_what_its_code_means_and_the_partner_s_own_words():
    """The page explains the error code of an attempt in Chinese and adds the partner's own text. The English log text
    is shown only with the raw answer.
    """
    said = '{"code": 400, "message": "域名未备案，请联系13712345678"}'
    for error, answer, told in (
        ("code_400: answered HTTP 200, code 400: 域名未备案", said, "对方认为订单内容有误：域名未备案，请联系137***78"),
        ("timeout: no complete answer in time (read)", "", "对接方应答超时。"),
        ("http_503: answered HTTP 503", "<html>Bad gateway</html>", "对接方报告其自身故障。"),
    ):
        row = factories.AttemptFactory(error=error, answer=answer, outcome="retry")
        # first without `error_code`, as in rows from before 1.6.0, whose code is only in the logged text
        assert of_attempt(row) == told
        row.error_code, row.error = error.partition(":")[0], "as logged: somehow"
        assert of_attempt(row) == told


@pytest.mark.django_db
def test_a_mail_tells_a_refusal_without_the_code_and_the_english_of_the_log():
    about = {
        "code": "code_400",
        "detail": "answered HTTP 200, code 400: 域名未备案",
        "params": {"code": "partner_words", "words": "域名未备案"},
    }
    told = mail_facts("mail_incident", factories.OrderFactory(), about, [])
    assert latin([told.cause, told.next_step]) == []


def kinds_written() -> set[str]:
    """Returns the kinds of events that the code passes as literal strings."""
    calls = [node for module in MODULES for node in nodes(module) if isinstance(node, ast.Call) and len(node.args) > 1]
    kinds = [node.args[1] for node in calls if getattr(node.func, "id", "") in {"add_event", "event", "_save"}]
    return {kind.value for kind in kinds if isinstance(kind, ast.Constant)}


@pytest.mark.whole
def test_every_kind_of_event_has_its_words():
    written = kinds_written()
    assert len(written) > 20
    assert written - set(WORDS) == set()


@pytest.mark.django_db
def test_a_change_that_goes_with_its_trial_says_so():
    trial = factories.TrialFactory(planned_at=timezone.now())
    change = factories.OrderFactory(kind="change", trial=trial, trial_number=trial.number, state="applied")
    withdraw_by_staff(number=trial.number, reason="客户要求", by="staff:li", now=timezone.now())
    assert describe(change.events.get(kind="undo_mark")).what == "开始撤回：其试用单已撤单"


@pytest.mark.django_db
def test_an_event_tells_why(admin_client):
    order = factories.OrderFactory()
    row = factories.OrderEventFactory(
        order=order, kind="undo_mark", actor="worker", data={"why": "start_bpm: code_400"}
    )
    assert "对方认为订单内容有误" in describe(row).what
    row = factories.OrderEventFactory(
        order=order,
        kind="step_retrying",
        actor="worker",
        data={
            "step": "create_billing",
            "code": "timeout",
            "message": "no complete answer in time (x)",
            "params": {"code": "cause_says_all"},
        },
    )
    assert describe(row).more == "对接方应答超时。"
    row = factories.OrderEventFactory(order=order, kind="resend", actor="staff:li", data={"steps": ["all"]})
    assert describe(row).what == "重新发送：整单"
    text = admin_client.get(reverse("admin:orders_orderevent_changelist")).content.decode()
    assert "step_retrying" not in text
    assert "后台程序" in text


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
    staff, group = member("管理员"), Group.objects.get(name="业务人员")
    text = staff.get(reverse("admin:auth_group_change", args=[group.pk])).content.decode()
    assert "订单管理 · 订单：重新发送失败步骤" in text
    assert "Can view" not in text
