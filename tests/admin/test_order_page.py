"""The page of one order: its progress, its tabs, its number of queries, and what it hides."""

import datetime
import functools
import itertools
import re

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from integrations.partners.profile import read_profile
from orders.models import Attempt, Order, OrderDomain, OrderEvent, TrialClaim
from orders.order_page.tabs import TABS
from orders.outbox.enqueue import schedule_name
from tests import factories
from tests.admin.orders import billed, deciding, failed, held_for_files, page, scheduled, staff, step
from tests.conftest import shanghai
from tests.factories import NOW
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
# including two for a page that stays open (its version, and the count in the browser's tab), and the count of the
# inbox
MOST_QUERIES = 25
HOSTILE = "<script>alert(1)</script>"


def text_of(client, order, query=""):
    answer = client.get(page(order, query))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def busy(db):
    """An order with a long history: 500 attempts, 500 events, and about a dozen of everything else."""
    order = failed()
    bpm = order.dispatches.get()
    billing = step(order, position=2, payload='{"productInfos": []}')
    for row in (bpm, billing):
        Attempt.objects.bulk_create(
            Attempt(dispatch=row, number=n, started_at=NOW, outcome="retry", answer="{}", error="503")
            for n in range(1, 251)
        )
    OrderEvent.objects.bulk_create(
        OrderEvent(order=order, at=NOW, actor="worker", kind="step_retrying", data={}) for _ in range(500)
    )
    for _ in range(12):
        factories.ApprovalRecordFactory(order=order)
        factories.OrderDomainFactory(order=order)
        factories.BillingRecordFactory(order=order, dispatch=billing)
        factories.MailFactory(order=order)
        factories.AffectedOrderFactory(order=order)
        factories.InboundMessageFactory(order_number=order.number)
        factories.OrderFactory(trial=order.trial, trial_number=order.trial_number)
        factories.TrialUsageFactory(trial=order.trial)
    return order


@pytest.mark.usefixtures("counted_each_time")
def test_no_tab_asks_more_than_its_queries_and_each_shows_a_part(client, busy, django_assert_max_num_queries):
    client.force_login(staff("see_personal_data", "resend_order"))
    queries = [f"?tab={tab.key}{more}" for tab in TABS for more in ("", "&page=2&calls=200&personal=1")]
    for query in queries[:: 1 if WHOLE else 3]:
        with django_assert_max_num_queries(MOST_QUERIES):
            text_of(client, busy, query)
    assert len(client.get(page(busy, "?tab=events&page=2")).context["timeline"]) == 50
    attempts = client.get(page(busy, "?tab=bpm&calls=3")).context["attempts"]
    assert [row.number for row in attempts] == list(range(230, 220, -1))


def test_print_has_all_tabs_with_exact_times_and_says_who_and_how_many(client, busy, django_assert_max_num_queries):
    """The printed page gives the number of all domains and lists as many as it may. It has all tabs, exact times and
    who printed it.
    """
    OrderDomain.objects.bulk_create(
        OrderDomain(order=busy, name=f"p{number}.example.com", key=f"p{number}.example.com") for number in range(1200)
    )
    number = busy.domains.count()
    reader = staff(name="li")
    client.force_login(reader)
    with django_assert_max_num_queries(75):
        answer = client.get(reverse("admin:orders_order_print", args=[busy.pk]))
    text = answer.content.decode()
    parts = [tab.key for tab, _loaded in answer.context["parts"]]
    assert parts == [tab.key for tab in client.get(page(busy)).context["tabs"]]
    assert f"共 {number} 条；仅列出前 1000 条" in text
    assert text.count("p1199.example.com") == 0
    assert ("打印人：li（li）" in text, "<details>" in text) == (True, False)
    assert "13700001234" not in text


@pytest.mark.parametrize(
    "tab, new",
    list(
        itertools.product(
            [tab.key for tab in TABS],
            [factories.OrderFactory, failed, billed, held_for_files, functools.partial(scheduled, days=2)],
        )
    ),
)
def test_every_tab_opens_empty_and_full(admin_client, tab, new):
    text_of(admin_client, new(), f"?tab={tab}")


def test_tabs_fit_the_kind(admin_client):
    keys = [tab.key for tab in admin_client.get(page(factories.TrialFactory())).context["tabs"]]
    assert keys == ["overview", "domains", "billing", "mails", "usage", "events", "raw"]


def test_it_says_where_the_order_stands_offers_the_right_act_and_the_way_back_and_writes_nothing(admin_client):
    order = failed()
    answer = admin_client.get(page(order))
    assert (answer.context["here"].key, answer.context["right"].key) == ("bpm", "resend")
    assert "resend" not in [row.key for row in answer.context["menu"]]
    text = answer.content.decode()
    assert "对方未及时应答" in text or str(answer.context["here"].cause.what) in text
    assert text.count('aria-current="step"') == 1
    there = f"{reverse('admin:orders_order_changelist')}?state__exact=failed&amp;o=since"
    back = {"_changelist_filters": "state__exact=failed&o=since"}
    assert f'href="{there}"' in admin_client.get(page(order), back).content.decode()
    for method in ("post", "put", "delete"):
        assert getattr(admin_client, method)(page(order)).status_code == 403


def test_a_partner_that_is_down_shows_and_offers_nothing(admin_client):
    order = failed()
    step(order, "create_billing", "retrying", position=1, error_code="http_503")
    order.dispatches.filter(step="start_bpm").delete()
    factories.IncidentFactory(partner="bigdata", step="", code="breaker_open")
    answer = admin_client.get(page(order))
    assert answer.context["here"].tone == "amber"
    assert answer.context["right"] is None


def test_an_incident_beside_the_ladder_is_told(admin_client):
    order = billed()
    incident = factories.IncidentFactory(partner="mail", step="mail_billed", code="no_recipients")
    factories.AffectedOrderFactory(order=order, incident=incident)
    assert [row.code for row, _way in admin_client.get(page(order)).context["others"]] == ["no_recipients"]


def test_the_family_is_a_tree_with_the_trial_at_its_root(admin_client):
    order = failed()
    change = factories.OrderFactory(kind="change", trial=order.trial, trial_number=order.trial_number)
    members = admin_client.get(page(change)).context["family"].members
    assert [(row.order.number, row.root, row.here) for row in members] == [
        (order.trial_number, True, False),
        (order.number, False, False),
        (change.number, False, True),
    ]


def test_a_trial_that_has_not_come_is_named(admin_client):
    order = factories.OrderFactory(state="held", held_because="trial_unknown", trial_number="T-1")
    assert "T-1" in text_of(admin_client, order)


def test_a_history_has_clock_times_under_its_days_and_folds_what_repeats(admin_client):
    order = failed()
    order.events.all().delete()
    note = {"actor": "staff:li", "kind": "note", "data": {"reason": "等客户"}}
    again = {"actor": "worker", "kind": "step_retrying", "data": {"step": "start_bpm", "code": "timeout"}}
    for at, event in [
        ("2026-11-25 08:00:01", again),
        ("2026-11-26 09:00:00", again),
        ("2026-11-26 09:05:00", again),
        ("2026-11-26 09:06:00", note),
        ("2026-11-26 09:10:59", again),
    ]:
        factories.OrderEventFactory(order=order, at=shanghai(at), **event)

    def shown(query):
        text = (
            text_of(admin_client, order, f"?tab=events{query}").partition('id="tabs"')[2].partition('class="times"')[0]
        )
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text[text.index("</form>") :]))
        return re.findall(r"20\d\d-\d\d-\d\d 周.|\d\d:\d\d:\d\d|共 \d 次", words)

    first = ["2026-11-25 周三", "08:00:01"]
    second = ["2026-11-26 周四", "09:10:59", "09:06:00", "09:05:00", "共 2 次", "09:05:00", "09:00:00"]
    assert shown("") == second + first
    assert shown("&until=2026-11-25") == first
    assert shown("&since=2026-11-26&who=people") == ["2026-11-26 周四", "09:06:00"]
    for wrong in ("&since=rubbish", "&since=2026-11-26&until=2026-11-25"):
        text = text_of(admin_client, order, f"?tab=events{wrong}")
        assert ("errorlist" in text, "09:06:00" in text) == (True, False)


def test_events_can_be_filtered(admin_client):
    order = failed()
    for actor, kind, data in [
        ("worker", "step_done", {"step": "start_bpm"}),
        ("staff:li", "note", {"reason": "等客户"}),
        ("system", "incident", {"code": "timeout", "detail": "x"}),
        ("worker", "step_done", {"step": "mail_billed"}),
    ]:
        factories.OrderEventFactory(order=order, actor=actor, kind=kind, data=data)

    def kinds(who):
        answer = admin_client.get(page(order, f"?tab=events&who={who}"))
        for key in ("people", "system", "mail", "errors"):
            assert f"tab=events&amp;who={key}" in answer.content.decode()
        return [one.row.kind for one in answer.context["timeline"]]

    assert kinds("people") == ["note"]
    assert kinds("errors") == ["incident"]
    assert kinds("mail") == ["step_done"]
    assert kinds("system") == ["step_done", "incident", "step_done"]
    assert len(kinds("")) == 4


def test_curl_carries_key_and_payload_but_no_secret_and_of_a_question_makes_nothing(admin_client, settings):
    order = failed()
    row = order.dispatches.get()
    type(row).objects.filter(pk=row.pk).update(payload='{"code": "it\'s"}')
    call = admin_client.get(page(order, "?tab=bpm")).context["calls"][0]
    assert call.curl.startswith('curl -X POST "$BPM_BASE_URL/flows/start"')
    assert f"Idempotency-Key: {row.key}" in call.curl
    assert settings.BPM_BASE_URL not in call.curl
    assert "oken" not in call.curl
    step(order, "ask_billing", "done", payload='{"jobId": "100T1"}')
    call = admin_client.get(page(order, "?tab=billing")).context["calls"][0]
    assert call.curl.startswith('curl -X POST "$BIGDATA_BASE_URL/productInfos/query"')


def test_where_the_profile_has_no_such_call_there_is_no_command(admin_client, settings):
    order = failed()
    step(order, "delete_billing", "waiting", payload='{"productInfos": []}')
    settings.PARTNERS = read_profile('[bigdata]\ndelete.path = ""')
    call = admin_client.get(page(order, "?tab=billing")).context["calls"][0]
    assert call.curl == "# 对接配置中没有 bigdata.delete 接口。"


def test_a_deletion_shows_its_receipt(admin_client):
    order = billed()
    row = step(order, "delete_billing", undo=True, position=500, done_at=timezone.now(), records=[1])
    factories.AttemptFactory(
        dispatch=row, outcome="ok", http_status=200, finished_at=NOW + datetime.timedelta(seconds=1)
    )
    text = text_of(admin_client, order, "?tab=billing")
    assert "删除回执" in text
    assert "1.0 秒" in text
    assert "确认删除" in text


def test_an_order_in_every_state_has_a_page(admin_client):
    for place, state in enumerate(Order.State):
        held = Order.Held.CLAIM_HELD if state == Order.State.HELD else ""
        undo = timezone.now() if state in {"compensating", "withdrawn", "rejected"} else None
        for kind in list(Order.Kind) if WHOLE else [list(Order.Kind)[place % len(Order.Kind)]]:
            text_of(admin_client, factories.OrderFactory(kind=kind, state=state, held_because=held, undo_since=undo))


@pytest.mark.parametrize(
    "more, rows, told",
    [
        ({}, [], ("还原", "无需还原")),
        ({}, ["done"], ("还原", "已还原")),
        ({}, ["done", "given_up"], ("还原", "已放弃")),
        ({"state": "withdrawn"}, ["done"], ("撤单", "已撤单")),
    ],
)
def test_the_ladder_says_withdrawn_only_of_a_withdrawn_order(admin_client, more, rows, told):
    order = factories.OrderFactory(**{"state": "failed", "undo_since": NOW} | more)
    step(order, "start_bpm", "failed", position=9, error_code="timeout")
    for place, state in enumerate(rows, start=1):
        step(order, "delete_billing", state, position=place, undo=True)
    stage = next(one for one, _way in admin_client.get(page(order)).context["ladder"] if one.key == "undo")
    assert (str(stage.title), str(stage.result)) == told


def test_notes_stand_on_top_the_newest_first(member):
    """Whoever sees the order sees its notes, masked, with author and time. A very long note is shortened at the top,
    and is complete in the history.
    """
    order = make_noted(7)
    factories.OrderEventFactory(
        order=order, kind="note", at=NOW, data={"reason": f"{HOSTILE} 13712345678 {'长' * 10_000}"}
    )
    for role, may in (("业务人员", True), ("审计员", False)):
        reader = member(role, letters=["BJ"])
        text = text_of(reader, order)
        top = text[: text.index('class="ladder')]
        assert "13712345678" not in text
        assert HOSTILE not in text
        assert top.index("长长") < top.index("备注 6") < top.index("备注 3")
        assert "备注 2" not in top
        assert "2023-09-20" in top
        assert (reverse("admin:orders_order_decide", args=[order.pk, "note"]) in top) == may
        more = text_of(reader, order, "?tab=events&who=notes")
        assert "备注 0" in more
        assert "长" * 10_000 in more


def make_noted(number):
    order = factories.OrderFactory(attribution_id="BJ")
    for place in range(number):
        factories.OrderEventFactory(
            order=order, kind="note", actor="staff:li", at=NOW, data={"reason": f"备注 {place}"}
        )
    return order


def test_a_note_is_written_on_the_page_and_stands_on_top(member):
    writer, order = member("业务人员"), factories.OrderFactory()
    url = reverse("admin:orders_order_decide", args=[order.pk, "note"])
    too_long = writer.post(url, {"reason": "长" * 10_000, "seen": ""})
    assert "不超过 500 字符" in too_long.content.decode()
    assert "长" * 10_000 in too_long.content.decode()  # the page keeps what was typed
    text = writer.post(url, {"reason": "已联系客户", "seen": ""}, follow=True).content.decode()
    top = text[: text.index('class="ladder')]
    assert top.index(writer.person.username, top.index('class="notes"')) < top.index("已联系客户")


@pytest.mark.parametrize("query, again", [("", False), ("?watch=9", True), ("?watch=0", False), ("?watch=x", False)])
def test_it_loads_itself_again_until_the_result_is_there(admin_client, query, again):
    """The page refreshes itself with a new address each time. If the address had a fragment and stayed the same, the
    browser would only scroll.
    """
    order = factories.OrderFactory()
    row = step(order, state="due", next_try_at=NOW)
    factories.HeartbeatFactory(seen_at=timezone.now())
    text = text_of(admin_client, order, f"?tab=events{query.replace('?', '&')}")
    assert ('content="5;url=?tab=events&amp;watch=8"' in text) == again
    assert ("每 5 秒自动刷新" in text) == again
    assert ("刷新本页可看到结果" in text) != again
    assert "结果会自动显示在此页" in text  # where scripts run, `orders/lists/live_pages.py` updates the page
    type(row).objects.update(state="done", next_try_at=None)
    assert "http-equiv" not in text_of(admin_client, order, query)


def test_a_record_that_begins_later_bills_nobody_yet(member):
    """Neither tab of a scheduled order shows its record as billing already. Clerks don't see the name of the schedule,
    which is for engineers.
    """
    order = scheduled(days=2)
    factories.OrderDomainFactory(order=order, name="a.example.com")
    factories.BillingRecordFactory(order=order, domain="a.example.com", state="live", create_time=order.start_at)
    Schedule.objects.create(name=schedule_name(order), func="os.getpid", next_run=order.start_at)
    clerk = member("业务人员")
    for tab in ("domains", "billing"):
        told = text_of(clerk, order, f"?tab={tab}")
        assert "尚未生效</span>" in told
        assert "已生效" not in told
    assert "尚未生效 1" in told
    assert schedule_name(order) not in told
    assert schedule_name(order) in text_of(member("工程师"), order)


def test_a_held_file_is_checked_not_sent(admin_client):
    told = text_of(admin_client, held_for_files(), "?tab=overview")
    assert "待补齐" in told
    assert "下次检查" in told
    assert "下次发送" not in told


def test_advice_without_its_button_says_who_may_or_why_nobody_can(client):
    """Whoever may not resend reads who may. Later the activation was undone and another activation has the claim on
    its trial, so nobody can resend it. The page says so.
    """
    order = failed()
    client.force_login(staff(name="reader"))
    answer = client.get(page(order))
    assert answer.context["right"] is None
    assert "“重新发送”由以下角色执行：业务人员、工程师" in answer.content.decode()
    Order.objects.filter(pk=order.pk).update(undo_since=NOW)
    other = factories.OrderFactory(trial=order.trial, trial_number=order.trial_number, first=True)
    TrialClaim.objects.create(trial=order.trial, activation=other, taken_at=NOW, trial_was="trialing")
    client.force_login(staff("resend_order", name="clerk"))
    answer = client.get(page(order))
    refused = next(advised.refused for stage, advised in answer.context["ladder"] if stage.current)
    assert other.number in refused
    assert refused in answer.content.decode()
    assert "重新发送。" not in answer.content.decode()


def test_advice_at_another_step_than_the_current_one_has_its_button_too(client):
    """The order is stopped at its refused BPM step. Besides, the process in BPM has other domains than the order has
    now, and the advice about that has its own button at a later step.
    """
    order = failed()
    about = {"incident__partner": "bpm", "incident__step": "start_bpm", "incident__code": "process_differs"}
    factories.AffectedOrderFactory(order=order, **about)
    button = reverse("admin:orders_order_decide", args=[order.pk, "accept"])
    client.force_login(staff("accept_difference", "resend_order", name="boss"))
    answer = client.get(page(order))
    assert answer.context["here"].key == "bpm"
    panel = answer.content.decode().split('id="stage-live"')[1].split("</li>")[0]
    assert button in panel
    client.force_login(staff("resend_order", name="clerk"))
    text = client.get(page(order)).content.decode()
    assert button not in text
    assert "“认可现状”由以下角色执行：" in text.split('id="stage-live"')[1].split("</li>")[0]


def test_advice_of_an_incident_beside_the_ladder_names_its_button_or_who_has_it(client):
    """A mail has no recipients. The advice names two buttons: one to enter contacts, and one to send the mail again.
    Whoever may not use them reads who may.
    """
    order = billed()
    factories.MailFactory(order=order, cause="step", state="failed", error_code="no_recipients", next_try_at=None)
    factories.AffectedOrderFactory(order=order, incident__partner="mail", incident__code="no_recipients")
    buttons = [deciding(order, "resend"), reverse("admin:notifications_contact_changelist")]
    client.force_login(staff("resend_order", "change_contact", "view_contact", name="clerk"))
    told = notice(client, order)
    assert [button in told for button in buttons] == [True, True]
    client.force_login(staff(name="reader"))
    told = notice(client, order)
    assert [button in told for button in buttons] == [False, False]
    assert "“重新发送”由以下角色执行：业务人员、工程师" in told
    assert "“联系人”由以下角色执行：" in told
    order.mails.update(state="done")
    assert "没有失败的步骤" in notice(client, order)


def notice(client, order):
    return client.get(page(order)).content.decode().split("没有设置该邮件的收件人")[1].split("</p>")[0]
