"""Pages, `stuck`, `status` and `show` while our records and the partner's differ, until both agree (contract 3.9,
14)."""

import contextlib
import datetime
import json

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.models import Conflict, Difference, Order
from orders.order_words.order_facts import last_event
from tests import factories as make
from tests.admin.orders import deciding, page, staff
from tests.flows.contents import activation, trial, withdrawal

A = "a.example.com"
DAY = datetime.timedelta(days=1)


@pytest.fixture
def clerk(client):
    """A person who may see, compare and fix differences."""
    rights = "compare_order", "fix_difference", "take_books", "accept_difference", "view_difference", "view_incident"
    client.force_login(staff(*rights))
    return client


def told(capsys, *words: str):
    """Returns a command's JSON output, whatever its exit code."""
    with contextlib.suppress(CommandError):
        call_command(*words, "--json")
    return json.loads(capsys.readouterr().out)


def head_of(client, number: str) -> str:
    answer = client.get(page(Order.objects.get(number=number)))
    text = answer.content.decode()
    return text[: text.index('class="order-tabs"')]


def press(client, number: str, key: str):
    order = Order.objects.get(number=number)
    return client.post(deciding(order, key), {"reason": "客户在用", "seen": last_event(order)}, follow=True)


def test_a_customer_without_a_record_is_told_everywhere_and_mended_from_the_page(desk, books, clerk, capsys, active):
    assert "chip-green" in head_of(clerk, "A1")
    before = books.lose("A1")
    books.reconcile()
    found_at = timezone.now()

    text = head_of(clerk, "A1")
    assert "chip-green" not in text
    assert "tone-green" not in text
    assert "未计费" in text
    [row] = told(capsys, "stuck")
    assert list(row) == ["order", "customer", "state", "why", "since", "owner"]
    assert (row["order"], row["why"]) == ("A1", "客户已开通服务，大数据侧没有话单 (not_billed)")
    found = told(capsys, "status")
    assert found["differences"] == {"open": 1, "oldest_seconds": 0.0, "unbilled": 1}
    assert found["reasons"][0] == "1 order has service and no billing record"
    [incident] = told(capsys, "show", "A1")["incidents"]
    assert (incident["code"], incident["detail"]) == ("difference", f"{A} (live / missing)")
    desk_page = clerk.get(reverse("admin:index"))
    assert desk_page.context["desk"].problems[0].number == 1

    desk.clock.shift(DAY.total_seconds())
    books.reconcile()  # the nightly comparison finds the difference anew, and its age stays
    assert Difference.objects.get(state="open").found_at == found_at
    assert told(capsys, "status")["differences"]["oldest_seconds"] == DAY.total_seconds()

    assert any("重新发送 1 条" in one for one in clerk.get(deciding(desk.order("A1"), "fix")).context["will"])
    answer = press(clerk, "A1", "fix")
    assert "正在修正 1 处差异" in answer.content.decode()
    desk.deliver()
    assert books.held("A1") == before
    assert "chip-green" in head_of(clerk, "A1")
    assert told(capsys, "stuck") == []
    fixed = Difference.objects.exclude(fix=None).get()
    assert (fixed.state, fixed.reconciliation.by, fixed.found_at) == ("over", "staff:wang", found_at)
    assert fixed.checked_at is None

    desk.clock.shift(60)
    books.reconcile()
    fixed.refresh_from_db()
    assert fixed.checked_at == timezone.now()
    [line] = clerk.get(page(desk.order("A1"), "?tab=billing")).context["differences"]
    assert "wang 发起" in line.life[1]
    assert "已复核" in line.life[2]


def test_an_order_in_doubt_is_compared_from_its_page_and_what_is_gone_again_is_found_again(desk, books, clerk, active):
    """The order is compared from its page. A fix was carried out, and the next comparison finds that the record is
    missing again."""
    assert "双方话单一致" in press(clerk, "A1", "compare").content.decode()
    [event] = desk.events("A1", "compared")
    assert event["reason"] == "客户在用"
    books.lose("A1")
    books.reconcile()
    press(clerk, "A1", "fix")
    desk.deliver()
    books.lose("A1")
    desk.clock.shift(60)
    assert "仍有 1 处差异未处理" in press(clerk, "A1", "compare").content.decode()
    assert "chip-green" not in head_of(clerk, "A1")
    assert Difference.objects.exclude(fix=None).get().checked_at == timezone.now()


def test_a_record_that_we_lack_is_deleted_only_after_it_was_said(desk, books, clerk, active):
    books.store.put_record(books.held("A1") | {"domain": "x.example.com"})
    books.reconcile()
    order = desk.order("A1")
    assert any("删除大数据侧不应存在的 1 条" in one for one in clerk.get(deciding(order, "fix")).context["will"])
    press(clerk, "A1", "fix")
    desk.deliver()
    assert list(desk.held_there("A1")) == [A]
    assert "chip-green" in head_of(clerk, "A1")


@pytest.mark.whole
def test_accepted_with_a_reason_it_is_fine_and_stays_listed(desk, books, clerk, active):
    books.lose("A1")
    books.reconcile()
    press(clerk, "A1", "accept")
    assert "chip-green" in head_of(clerk, "A1")
    [line] = clerk.get(page(desk.order("A1"), "?tab=billing")).context["differences"]
    assert "客户在用" in " ".join(line.life)


def test_one_behind_a_failed_order_says_so_and_links_it(desk, clerk, capsys):
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal", message="域名未备案")
    desk.play(trial(), activation())
    text = head_of(clerk, "A1")
    assert "排在失败订单之后" in text
    assert page(desk.order("T1")) in text
    assert [row["order"] for row in told(capsys, "stuck")] == ["T1", "A1"]
    listed = clerk.get(reverse("admin:orders_order_changelist") + "?needs=somebody")
    assert {order.number for order in listed.context["cl"].result_list} == {"T1", "A1"}
    assert "排在失败订单之后" in listed.content.decode()


@pytest.mark.whole
def test_a_conflict_shows_until_somebody_has_seen_to_it(desk, client):
    client.force_login(staff("change_incident", "view_conflict", name="li"))
    desk.play(trial(), activation())
    for flow in ("500", "600"):
        assert desk.refused(activation(DataFlow=flow)) == ("30000", "3001")
        desk.clock.shift(60)
    order = desk.order("A1")
    newest = Conflict.objects.latest("pk")
    listed = reverse("admin:orders_conflict_changelist") + "?seen=no"
    compared = reverse("admin:orders_conflict_change", args=[newest.pk])
    assert compared in head_of(client, "A1")
    assert client.get(reverse("admin:index")).context["desk"].conflicts.number == 2
    assert client.get(listed).context["cl"].result_count == 2

    form = client.get(deciding(order, "conflict"))
    assert len(form.context["will"]) == 3
    desk.refused(activation(DataFlow="700"))  # this message arrives while the form is open
    told = {"reason": "已与 BBOSS 确认", "seen": last_event(order), "newest": form.context["form"]["newest"].value()}
    assert client.post(deciding(order, "conflict"), told).status_code == 302
    assert client.get(reverse("admin:index")).context["desk"].conflicts.number == 1
    assert compared not in head_of(client, "A1")
    assert "冲突" in head_of(client, "A1")
    text = client.get(compared).content.decode()
    assert "已与 BBOSS 确认" in text
    assert "li" in text
    [event] = desk.events("A1", "conflict_seen")
    assert len(event["messages"]) == 2
    assert client.get(listed).context["cl"].result_count == 1
    # the form comes back, because the request does not name the messages
    assert press(client, "A1", "conflict").status_code == 200


def test_after_an_act_the_page_shows_what_happened(desk, client):
    client.force_login(staff("withdraw_order", name="zhao"))
    desk.play(trial(), activation())
    make.HeartbeatFactory(seen_at=timezone.now())
    told = press(client, "A1", "withdraw").content.decode()
    assert "正在撤回" in told
    assert "已交给后台处理" in told[: told.index('class="ladder')]  # the act waits for the worker
    assert 'http-equiv="refresh"' in told
    desk.deliver()
    later = client.get(page(desk.order("A1"))).content.decode()
    assert 'http-equiv="refresh"' not in later
    assert "已撤单" in later[: later.index('class="order-tabs"')]


def test_it_says_so_where_nothing_had_to_be_taken_back(desk, client):
    client.force_login(staff("withdraw_order", name="zhao"))
    desk.play(activation())  # A1 has sent nothing, because its trial is unknown
    told = press(client, "A1", "withdraw").content.decode()
    assert "订单现在的状态：已撤单" in told
    assert 'http-equiv="refresh"' not in told


def test_to_call_off_a_start_day_is_a_withdrawal(desk, client):
    client.force_login(staff("run_activation", name="zhao"))
    desk.play(trial(), activation(start="20230930"))
    order = desk.order("A1")
    assert client.get(deciding(order, "call_off")).status_code == 403
    client.force_login(staff("withdraw_order", name="li"))
    answer = client.get(deciding(order, "call_off"))
    assert "撤单" in answer.content.decode()
    assert any("这是撤单" in sentence for sentence in answer.context["will"])
    press(client, "A1", "call_off")
    desk.deliver()
    assert desk.state("A1") == "withdrawn"


@pytest.mark.whole
def test_what_is_being_put_right_is_shown_as_under_way(desk, books, clerk, settings, active):
    """While the big-data side does not answer, the fix is refused and nothing is changed. Once the fix is under way,
    the page shows it."""
    books.lose("A1")
    books.reconcile()
    address, settings.BIGDATA_BASE_URL = settings.BIGDATA_BASE_URL, "http://127.0.0.1:9"
    assert press(clerk, "A1", "fix").status_code == 409
    assert Difference.objects.get().fix is None
    settings.BIGDATA_BASE_URL = address
    told = press(clerk, "A1", "fix")
    assert (told.context["here"].tone, told.context["right"]) == ("blue", None)
    assert clerk.get(deciding(desk.order("A1"), "fix")).context["why_not"]
    assert "chip-green" not in head_of(clerk, "A1")
    desk.sandbox.fault(path="/bigdata/productInfos", kind="refusal")
    desk.deliver()
    # the fix was refused, so it can be tried again
    assert clerk.get(page(desk.order("A1"))).context["right"].key == "fix"


# --- of sixty statements of a desk with troubles, those that the database contradicted


def test_what_is_in_doubt_is_nowhere_called_billed(desk, books, clerk, active):
    """An order whose record is missing at the partner is not called billed, neither by the order's state nor by its
    record's state. The mail does not say that the order stopped."""
    books.lose("A1")
    books.reconcile()
    desk.deliver()
    order = desk.order("A1")
    [sent] = [one.body for one in mail.outbox if "需要处理：A1" in one.subject]
    shown = [clerk.get(page(order)), clerk.get(page(order, "?tab=billing"))]
    shown += [clerk.get(reverse(f"admin:orders_{name}_changelist")) for name in ("order", "billingrecord")]
    for answer in shown:
        text = answer.content.decode()
        assert [said for said in ("客户正在使用，并已计费", "大数据侧已受理并生效") if said in text] == []
        assert "可能与该状态不符" in text
    assert ("需要人工处理" in sent, "中止" in sent) == (True, False)


def test_what_was_accepted_as_it_is_is_not_called_mended(desk, books, clerk, active):
    """`accept` ended the difference of a missing record. No text says that the desk deleted the record, and the mail
    says that a person ended the incident."""
    books.lose("A1")
    books.reconcile()
    call_command("accept", "A1", "not_billed", reason="客户经理确认")
    desk.deliver()
    text = clerk.get(page(desk.order("A1"), "?tab=billing")).content.decode()
    assert [said for said in ("大数据侧已删除", "即删除回执") if said in text] == []
    sent = mail.outbox[-1]
    assert ("异常已结束" in sent.subject, "工作人员" in sent.body) == (True, True)
    assert [said for said in ("恢复", "无需处理") if said in sent.body] == []


def test_an_order_whose_undoing_has_failed_is_not_called_over(desk, clerk, settings, active):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="503")
    desk.play(withdrawal("A1"))
    assert desk.state("A1") == "compensating"
    text = clerk.get(page(desk.order("A1"))).content.decode()
    assert ("曾经生效，正在撤回" in text, "现已失效" in text) == (True, False)


def test_a_closed_mail_is_not_still_to_come(desk, clerk, active):
    """If the order was over before its mail went out, no page announces the mail."""
    make.MailFactory(order=desk.order("A1"), kind="mail_held", cause="x", state="closed", body="", next_try_at=None)
    assert "待发送的邮件" not in clerk.get(page(desk.order("A1"), "?tab=mails")).content.decode()


def test_an_incident_that_is_about_no_records_does_not_wait_for_the_books(desk, client, active):
    client.force_login(make.UserFactory(is_superuser=True, is_staff=True))
    row = make.AffectedOrderFactory(order=desk.order("A1"), incident__code="process_differs", incident__partner="bpm")
    text = client.get(reverse("admin:orders_incident_change", args=[row.incident_id])).content.decode()
    assert "按处理建议处理完" in text


def test_a_cancelled_trial_record_is_not_said_to_have_billed(desk, clerk, active):
    text = clerk.get(page(desk.order("T1"), "?tab=billing")).content.decode()
    assert ("此前的不受影响" in text, "用量照常计费" in text) == (True, False)
