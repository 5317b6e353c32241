"""Four eyes (contract 3.11): one person asks for an act, and it is carried out only once another person confirms it."""

import datetime

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from notifications.models import Mail
from orders.actions.all_actions import DECISIONS
from orders.models import AskedAct, CalendarDay, Order
from orders.office.asked_ends import lapse_asked
from orders.people.asked_acts import lapses_at
from orders.rules.local_time import SHANGHAI
from tests import factories as make
from tests.admin.orders import (
    ALLOWED,
    DAY,
    before_the_trial_ends,
    billed,
    billed_ahead,
    changes,
    deciding,
    failed_trial,
    filled,
    page,
    step,
)
from tests.admin.walking import desk_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books", "partner_of_key")]
ACTS = (
    *("decide", "waive", "compensate", "withdraw", "give_up", "fix", "take", "accept", "proceed", "move_start"),
    *("move_end", "attribute", "erase"),
)


@pytest.fixture(autouse=True)
def four_eyes(settings):
    settings.FOUR_EYES = dict.fromkeys(ACTS, 0)


@pytest.fixture
def people(client):
    """Returns a function. `people("审批主管")` returns an account in these roles, and `people.acts(account)` returns
    the client with the account's session.
    """

    def account(*roles, **more):
        user = make.UserFactory(**{"email": "", **more})
        user.groups.set(Group.objects.filter(name__in=roles))
        return user

    def acts(user):
        client.force_login(user)
        return client

    account.acts = acts
    return account


@pytest.fixture
def clerk(people):
    return people("业务人员")


@pytest.fixture
def judge(people):
    return people("审批主管", email="judge@example.com")


def asked(people, clerk, order=None, key="pass"):
    order = order or billed()
    answer = people.acts(clerk).post(deciding(order, key), filled(order, key), follow=True)
    assert "需另一人复核" in answer.content.decode()
    return order, AskedAct.objects.latest("pk")


def look(client, row):
    return client.get(reverse("admin:orders_askedact_change", args=[row.pk]))


def confirm(client, row, shown=None, **form):
    shown = shown or look(client, row)
    preview = shown.context["preview"]
    data = {"seen": preview.last_event_id, "told": preview.told} | form
    return client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), data, follow=True)


def decided(order):
    order.refresh_from_db()
    return order.decision


def test_an_act_is_carried_out_once_another_person_confirms_it(people, clerk, judge):
    order, row = asked(people, clerk)
    assert decided(order) == ""
    assert row.asker_id == clerk.pk
    mail = Mail.objects.get(kind="notice_act_asked")
    assert mail.recipients == ["judge@example.com"]
    assert order.number in mail.body
    client = people.acts(judge)
    shown = look(client, row)
    assert 'name="told"' in shown.content.decode()
    assert "已确认" in confirm(client, row, shown).content.decode()
    assert decided(order) == "pass"
    kinds = dict(order.events.values_list("kind", "actor"))
    assert kinds["act_asked"] == kinds["decided"] == f"staff:{clerk.username}"
    assert kinds["act_confirmed"] == f"staff:{judge.username}"
    from_where = [order.events.get(kind=kind).data.get("caller") for kind in ("act_asked", "act_confirmed", "decided")]
    # the decision has no address, because the asker was not at the machine that confirmed
    assert from_where == ["127.0.0.1", "127.0.0.1", None]
    row.refresh_from_db()
    assert (row.state, row.ender_id) == ("confirmed", judge.pk)
    confirm(client, row, shown)
    assert order.events.filter(kind="decided").count() == 1


def test_nobody_confirms_what_they_asked_for(people):
    both = people("业务人员", "审批主管")
    order, row = asked(people, both)
    client = people.acts(both)
    shown = look(client, row)
    assert not shown.context["confirmable"]
    assert "须由他人复核" in shown.content.decode()
    assert "须由他人同意" in confirm(client, row, shown).content.decode()
    assert decided(order) == ""


@pytest.mark.parametrize("who", ["judge", "clerk"])
@pytest.mark.parametrize("days", [29, 31])
def test_who_made_the_other_or_was_made_is_no_second_person_for_30_days(people, clerk, judge, who, days):
    """Whoever created the other's account within 30 days, or gave it something, is no second person. Roles, passwords,
    second factors and mail addresses are noted in the same place.
    """
    made, maker = (judge, clerk) if who == "judge" else (clerk, judge)
    made.note_given(maker, now=timezone.now() - datetime.timedelta(days=days))
    order, row = asked(people, clerk)
    assert Mail.objects.filter(kind="notice_act_asked").exists() == (days > 30)
    answer = confirm(people.acts(judge), row)
    assert (decided(order) == "pass") == (days > 30), answer.content.decode()


@pytest.mark.parametrize("lost", ["right", "account", "attribution"])
def test_what_an_asker_may_not_do_any_more_is_confirmed_by_nobody(people, clerk, judge, lost):
    order, row = asked(people, clerk)
    if lost == "right":
        clerk.groups.clear()
    elif lost == "account":
        type(clerk).objects.filter(pk=clerk.pk).update(is_active=False)
    else:
        type(clerk).objects.filter(pk=clerk.pk).update(limited=True)
    client = people.acts(judge)
    shown = look(client, row)
    assert not shown.context["confirmable"]
    confirm(client, row, shown)
    assert decided(order) == ""


def test_what_has_changed_meanwhile_is_shown_again(people, judge):
    """BPM accepts the order after the request and before the confirmation. The withdrawal has to tell BPM then, so the
    page shows the consequences again.
    """
    order, row = asked(people, people("审批主管"), key="withdraw")
    client = people.acts(judge)
    shown = look(client, row)
    make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="done")
    again = confirm(client, row, shown)
    assert again.status_code == 409
    assert again.context["again"]
    assert again.context["preview"].before == row.told
    assert Order.objects.get(pk=order.pk).undo_since is None
    confirm(client, row, again)
    assert Order.objects.get(pk=order.pk).undo_since is not None


def test_days_without_service_are_told_to_who_asks_and_to_who_confirms(people, judge):
    order, day = before_the_trial_ends(), (timezone.localdate() + 30 * DAY).isoformat()
    client, form = people.acts(people("业务人员")), filled(order, "move_start", day=day)
    told = client.post(deciding(order, "move_start"), form)
    assert (told.status_code, AskedAct.objects.exists()) == (409, False)
    assert client.post(deciding(order, "move_start"), form | {"told": told.context["told"]}).status_code == 302
    gap = f"至 {(timezone.localdate() + 29 * DAY).isoformat()} 客户没有服务"
    row = AskedAct.objects.get()
    client = people.acts(judge)
    shown = look(client, row)
    assert (gap in told.text, gap in shown.text, shown.context["preview"].before) == (True, True, [])
    Order.objects.filter(pk=order.trial_id).update(biz_end=timezone.localdate() + 40 * DAY)
    again = confirm(client, row, shown)
    assert (again.status_code, again.context["preview"].before) == (409, row.told)
    assert gap not in "".join(again.context["preview"].will)
    confirm(client, row, again)
    assert order.events.get(kind="act_confirmed")


def test_a_start_that_is_moved_to_today_is_confirmed_minutes_later_and_one_to_a_day_before_by_nobody(
    people, clerk, judge, clock
):
    order, today = billed_ahead(days=9), timezone.localdate()
    form = filled(order, "move_start", day=today.isoformat())
    people.acts(clerk).post(deciding(order, "move_start"), form)
    row = AskedAct.objects.get()
    client = people.acts(judge)
    AskedAct.objects.update(arguments={"day": (today - DAY).isoformat()})  # asked a day or two ago
    late = look(client, row)
    assert ("该日期已过" in late.text, late.context["confirmable"]) == (True, False)
    AskedAct.objects.update(arguments=row.arguments)
    shown = look(client, row)
    clock.shift(300)
    assert confirm(client, row, shown).status_code == 200
    assert order.events.get(kind="act_confirmed")


def test_who_confirms_is_told_of_the_step_that_was_asked_for(people, judge):
    """Two steps failed, and the request is to give up one of them."""
    order = failed_trial()
    step(order, "cancel_trial_billing", "failed", lane=order.pk, error_code="code_400", definite=True)
    client = people.acts(people("工程师"))
    client.post(deciding(order, "give_up"), filled(order, "give_up", step="create_trial_billing"))
    will = look(people.acts(judge), AskedAct.objects.get()).context["preview"].will
    assert [sentence for sentence in will if "放弃" in sentence] == will[:1]
    assert str(order.dispatches.get(step="create_trial_billing").get_step_display()) in will[0]


def test_an_order_on_which_somebody_acted_is_looked_at_again(people, clerk, judge):
    order, row = asked(people, clerk)
    client = people.acts(judge)
    shown = look(client, row)
    make.OrderEventFactory(order=order, kind="note", actor="staff:li", at=timezone.now(), data={"text": "等一下"})
    again = confirm(client, row, shown)
    assert again.status_code == 409
    assert "等一下" in again.content.decode()
    assert decided(order) == ""
    confirm(client, row, again)
    assert decided(order) == "pass"


def test_what_is_not_allowed_any_more_is_not_carried_out(people, clerk, judge):
    order, row = asked(people, clerk)
    client = people.acts(judge)
    shown = look(client, row)
    Order.objects.filter(pk=order.pk).update(state="withdrawn", undo_since=timezone.now(), withdrawal_idh="1")
    assert confirm(client, row, shown).status_code == 409
    assert look(client, row).context["preview"].why_not
    assert decided(order) == ""


@pytest.mark.parametrize(
    "asked_at, holidays, lapses",
    [
        ("2026-11-25T09:00", [], "2026-11-26T18:00"),
        ("2026-11-27T20:00", [], "2026-11-30T18:00"),  # a Friday evening
        ("2026-11-28T09:00", [], "2026-11-30T18:00"),  # a Saturday
        ("2026-09-30T09:00", ["2026-10-01", "2026-10-02"], "2026-10-05T18:00"),
    ],
)
def test_it_lapses_at_18_of_the_next_working_day(asked_at, holidays, lapses):
    for day in holidays:
        CalendarDay.objects.create(day=day, worked=False)
    at = datetime.datetime.fromisoformat(asked_at).replace(tzinfo=SHANGHAI)
    assert lapses_at(at) == datetime.datetime.fromisoformat(lapses).replace(tzinfo=SHANGHAI)


def test_what_has_lapsed_is_confirmed_by_nobody(people, clerk, judge):
    order, row = asked(people, clerk)
    client = people.acts(judge)
    shown = look(client, row)
    AskedAct.objects.filter(pk=row.pk).update(lapses_at=timezone.now())
    assert "已失效" in confirm(client, row, shown).content.decode()
    assert decided(order) == ""
    assert lapse_asked(now=timezone.now()) == 1
    row.refresh_from_db()
    assert (row.state, order.events.get(kind="act_lapsed").actor) == ("lapsed", "sweep")
    asked(people, clerk, order)  # it may be requested again


@pytest.mark.parametrize("who", ["clerk", "judge", "stranger"])
def test_the_asker_and_whoever_may_confirm_call_it_off(people, clerk, judge, who):
    order, row = asked(people, clerk)
    person = {"clerk": clerk, "judge": judge}.get(who) or people("工程师")
    client = people.acts(person)
    answer = client.post(reverse("admin:orders_askedact_call_off", args=[row.pk]))
    row.refresh_from_db()
    if who == "stranger":
        assert (answer.status_code, row.state) == (403, "asked")
        assert confirm(client, row, look(client, row)).status_code == 403
        return
    assert row.state == "called_off"
    assert order.events.get(kind="act_called_off").actor == f"staff:{person.username}"
    people.acts(judge).post(reverse("admin:orders_askedact_confirm", args=[row.pk]), {"seen": 10**9})
    assert decided(order) == ""


def test_the_same_act_waits_once(people, clerk):
    order, row = asked(people, clerk)
    other = people("业务人员")
    answer = people.acts(other).post(deciding(order, "reject"), filled(order, "reject"), follow=True)
    assert "已提出相同的请求" in answer.content.decode()
    assert AskedAct.objects.count() == 1


def test_a_second_person_of_other_provinces_sees_nothing_of_it(people, clerk):
    order = billed()
    Order.objects.filter(pk=order.pk).update(attribution="BJ")
    order, row = asked(people, clerk, order)
    limited = people("审批主管", letters=["SH"])
    client = people.acts(limited)
    assert look(client, row).status_code == 404
    assert client.post(reverse("admin:orders_askedact_confirm", args=[row.pk])).status_code == 404
    assert confirm(people.acts(people("审批主管", letters=["BJ"])), row).status_code == 200
    assert decided(order) == "pass"


def test_the_order_s_page_and_the_dashboard_lead_to_the_confirmation(people, clerk, judge):
    """After the log-in, the second person reaches the confirmation in three clicks. The order's page says who asked."""
    order, row = asked(people, clerk)
    client, address = people.acts(judge), reverse("admin:orders_askedact_change", args=[row.pk])
    text = client.get(page(order)).text
    assert all(word in text for word in ("待复核", "人工裁定：通过", "客户经理要求", "查看并复核", address))
    number = desk_of(judge).asked
    assert number.number == desk_of(judge).answer.number == 1
    assert address in client.get(number.url).text
    assert "确认执行" in client.get(address).text
    assert "撤回请求" in people.acts(clerk).get(page(order)).text
    assert not desk_of(clerk).asked


def test_a_phone_in_bpm_s_words_is_masked_for_who_decides_and_who_confirms(people, clerk, judge):
    order = billed()
    make.ApprovalRecordFactory(order=order, record_id="r1", result="pass", finished=True, operator="王 13712345678")
    make.ApprovalRecordFactory(order=order, record_id="r2", result="pass", finished=True)
    shown = people.acts(clerk).get(deciding(order, "pass")).text
    form = filled(order, "pass") | {"record": "r1"}
    people.acts(clerk).post(deciding(order, "pass"), form)
    confirming = look(people.acts(judge), AskedAct.objects.get()).text
    assert all("137***78" in text and "13712345678" not in text for text in (shown, confirming))


def test_without_the_setting_nobody_else_is_asked(people, clerk, settings):
    settings.FOUR_EYES = {}
    order = billed()
    people.acts(clerk).post(deciding(order, "pass"), filled(order, "pass"))
    assert (decided(order), AskedAct.objects.count()) == ("pass", 0)


@pytest.mark.parametrize("key", [key for key in ALLOWED if DECISIONS[key].four_eyes])
def test_each_act_is_asked_for_and_carried_out(people, key):
    """Each act is requested as the page requests it: with its form's fields, and with the partner's records where the
    act needs them.
    """
    one, other = people("业务人员", "工程师", "审批主管"), people("业务人员", "工程师", "审批主管")
    order = ALLOWED[key]()
    before = changes(order)
    _order, row = asked(people, one, order, key=key)
    assert [kind for kind in order.events.values_list("kind", flat=True) if kind != "act_asked"] == []
    assert before[: len(before) - 1] == changes(order)[: len(before) - 1]
    answer = confirm(people.acts(other), row)
    row.refresh_from_db()
    assert (answer.status_code, row.state) == (200, "confirmed"), answer.context and answer.context.get("why_not")
    assert order.events.filter(actor=f"staff:{one.username}").count() > 1


@pytest.mark.parametrize("act, right", [("export_personal", "orders.see_personal_data"), ("bulk", "orders.add_note")])
def test_what_was_deleted_in_the_database_is_shown_and_confirmed_by_nobody(people, judge, act, right):
    row = make.AskedActFactory(act=act, right=right, decision="", order=None, target=10**6)
    shown = look(people.acts(judge), row)
    assert (shown.status_code, shown.context["confirmable"]) == (200, False)
    confirmed = people.acts(judge).post(reverse("admin:orders_askedact_confirm", args=[row.pk]), {})
    row.refresh_from_db()
    assert (confirmed.status_code, row.state) == (409, "asked")
