"""Each decision on an order: who may make it and when. A decision needs a reason and an order that has not changed,
and writes one event.
"""

from unittest.mock import Mock

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.actions.all_actions import DECISIONS
from orders.books.books import BooksSilentError
from orders.models import Order, TrialClaim
from orders.order_words.order_facts import last_event
from tests import factories
from tests.admin.orders import (
    ALLOWED,
    DAY,
    EVENTS,
    NOT_ALLOWED,
    PERMISSIONS,
    acted_before,
    before_the_trial_ends,
    billed,
    changes,
    deciding,
    differing,
    failed,
    failed_trial,
    filled,
    held_there,
    page,
    staff,
    step,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books", "partner_of_key")]
FOLLOWS = ["state", "undo_mark", "incident_over", "went_on", "domains_dropped", "step_done", "acted_before"]
"""What else stands in the history, by the same person: what the act brought about."""


def test_every_decision_is_tried():
    assert set(DECISIONS) == set(ALLOWED) == set(PERMISSIONS) == set(EVENTS) == {*NOT_ALLOWED, "note", "remind"}
    assert {key: row.permission for key, row in DECISIONS.items()} == {
        key: f"orders.{name}" for key, name in PERMISSIONS.items()
    }


@pytest.mark.parametrize("key", DECISIONS)
def test_it_is_offered_says_what_will_happen_asks_the_reason_and_leaves_one_event(client, key):
    order = ALLOWED[key]()
    client.force_login(staff(PERMISSIONS[key], name="boss"))
    assert deciding(order, key) in client.get(page(order)).content.decode()
    answer = client.get(deciding(order, key))
    assert answer.status_code == 200
    assert answer.context["will"]
    assert 'name="reason"' in answer.content.decode()
    before = changes(order)
    for reason in ("", "   ") if DECISIONS[key].form(order=order).fields["reason"].required else ():
        answer = client.post(deciding(order, key), filled(order, key, reason=reason))
        assert answer.status_code == 200
        assert answer.context["form"].errors["reason"]
    assert changes(order) == before
    assert not order.events.exists()
    answer = client.post(deciding(order, key), filled(order, key))
    assert answer.status_code == 302
    assert answer["Location"] == page(order)
    event = order.events.get(kind=EVENTS[key])
    assert (event.actor, event.data["reason"]) == ("staff:boss", "客户经理要求")
    assert order.events.filter(actor="staff:boss").exclude(kind__in=FOLLOWS).count() == 1


@pytest.mark.parametrize("key", DECISIONS)
def test_others_neither_see_it_nor_may(client, key):
    order = ALLOWED[key]()
    others = {name for name in PERMISSIONS.values() if name != PERMISSIONS[key]}
    client.force_login(staff(*others))
    before = changes(order)
    assert deciding(order, key) not in client.get(page(order)).content.decode()
    assert client.get(deciding(order, key)).status_code == 403
    assert client.post(deciding(order, key), filled(order, key)).status_code == 403
    assert changes(order) == before
    assert not order.events.exists()


@pytest.mark.parametrize("key", NOT_ALLOWED)
def test_the_state_must_allow_it(boss, key):
    order = NOT_ALLOWED[key]()
    before, events = changes(order), order.events.count()
    assert deciding(order, key) not in boss.get(page(order)).content.decode()
    answer = boss.get(deciding(order, key))
    assert str(DECISIONS[key].label) in answer.content.decode()
    assert answer.context["why_not"]
    assert 'name="reason"' not in answer.content.decode()
    assert boss.post(deciding(order, key), filled(order, key)).status_code == 409
    assert (changes(order), order.events.count()) == (before, events)


@pytest.mark.parametrize("key", [key for key, row in DECISIONS.items() if row.guarded])
def test_a_changed_order_is_asked_about_again(boss, key):
    order = ALLOWED[key]()
    form = filled(order, key)
    factories.OrderEventFactory(order=order, kind="note", actor="staff:li", data={"reason": "先别动"})
    before = changes(order)
    answer = boss.post(deciding(order, key), form)
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "先别动" in text
    assert "客户经理要求" in text
    assert changes(order) == before
    again = filled(order, key, reason="还是要做", seen=answer.context["form"]["seen"].value())
    assert boss.post(deciding(order, key), again).status_code == 302


def in_days(number):
    return (timezone.localdate() + number * DAY).isoformat()


def shown_without_service(answer, first, last):
    return f"{in_days(first)} 至 {in_days(last)} 客户没有服务" in answer.text


def test_days_without_service_are_named_before_a_start_day_is_moved(boss):
    """The days without service are known only once a start day is entered, so the page then asks for a confirmation.
    It asks again if another day is entered or if the trial's end changes.
    """
    order = before_the_trial_ends()
    address, form = deciding(order, "move_start"), filled(order, "move_start", day=in_days(30))
    first = boss.post(address, form)
    assert (first.status_code, shown_without_service(first, 8, 29)) == (409, True)
    assert 'value="' + in_days(30) in first.text
    assert "客户经理要求" in first.text
    assert not order.events.exists()
    other = boss.post(address, form | {"day": in_days(40), "told": first.context["told"]})
    assert (other.status_code, shown_without_service(other, 8, 39)) == (409, True)
    Order.objects.filter(pk=order.trial_id).update(biz_end=timezone.localdate() + 6 * DAY)  # as by a trial change
    later = boss.post(address, form | {"day": in_days(40), "told": other.context["told"]})
    assert (later.status_code, shown_without_service(later, 7, 39)) == (409, True)
    assert not order.events.exists()
    done = boss.post(address, form | {"day": in_days(40), "told": later.context["told"]})
    assert (done.status_code, order.events.filter(kind="move_asked").count()) == (302, 1)


@pytest.mark.parametrize("day", [0, 8])
def test_a_day_that_the_trial_reaches_is_not_asked_about_again(boss, day):
    order = before_the_trial_ends()
    assert boss.post(deciding(order, "move_start"), filled(order, "move_start", day=in_days(day))).status_code == 302


def test_a_changed_order_and_days_without_service_are_told_at_once(boss):
    order = before_the_trial_ends()
    form = filled(order, "move_start", day=in_days(30))
    factories.OrderEventFactory(order=order, kind="note", actor="staff:li", data={"reason": "先别动"})
    answer = boss.post(deciding(order, "move_start"), form)
    assert ("先别动" in answer.text, shown_without_service(answer, 8, 29)) == (True, True)
    again = form | {"seen": answer.context["form"]["seen"].value(), "told": answer.context["told"]}
    assert boss.post(deciding(order, "move_start"), again).status_code == 302


def test_mere_looking_makes_no_form_stale_and_a_resend_leaves_what_is_done(boss):
    order = failed()
    done = step(order, "create_billing", "done")
    form = filled(order, "resend")
    boss.get(page(order, "?personal=1"))
    assert order.events.filter(kind="personal_data_seen").exists()
    assert boss.post(deciding(order, "resend"), form).status_code == 302
    done.refresh_from_db()
    assert done.state == "done"


def test_unknown_decisions_and_orders_are_not_found(boss):
    assert boss.get(deciding(failed(), "explode")).status_code == 404
    assert boss.get(reverse("admin:orders_order_decide", args=[987654, "note"])).status_code == 404


def test_compensating_says_how_many_records_go(boss):
    order = billed()
    assert "将删除 1 条话单。" in boss.get(deciding(order, "compensate")).context["will"]
    boss.post(deciding(order, "compensate"), filled(order, "compensate"))
    order.refresh_from_db()
    assert order.state == Order.State.COMPENSATING
    assert order.dispatches.filter(step="delete_billing").count() == 1


def test_only_who_holds_the_trial_s_claim_is_said_to_release_it(boss):
    """A subsequent activation has no claim on the trial, so its page does not say that the claim is released (contract
    3.3).
    """
    frees = "释放对试用单的占用。"
    assert frees in boss.get(deciding(billed(), "compensate")).context["will"]
    later = billed()
    TrialClaim.objects.filter(activation=later).update(activation=billed())
    assert frees not in boss.get(deciding(later, "compensate")).context["will"]


def test_calling_off_withdraws(boss):
    order = ALLOWED["call_off"]()
    boss.post(deciding(order, "call_off"), filled(order, "call_off"))
    order.refresh_from_db()
    assert order.undo_to == "withdrawn" or order.state == Order.State.WITHDRAWN
    assert order.withdrawal_idh


def test_the_attribution_must_be_one_of_ours(boss):
    order = ALLOWED["attribute"]()
    assert boss.post(deciding(order, "attribute"), filled(order, "attribute", letters="ZZ")).status_code == 200
    boss.post(deciding(order, "attribute"), filled(order, "attribute"))
    order.refresh_from_db()
    assert (order.attribution_id, order.held_because) == ("SH", "")


def test_running_the_start_day_makes_its_steps_due(boss):
    order = ALLOWED["activate"]()
    boss.post(deciding(order, "activate"), filled(order, "activate"))
    assert order.dispatches.get(step="cancel_trial_billing").state == "due"


def test_traffic_is_asked_for_once(boss):
    trial = ALLOWED["usage"]()
    boss.post(deciding(trial, "usage"), filled(trial, "usage"))
    answer = boss.post(deciding(trial, "usage"), filled(trial, "usage"))
    assert answer.status_code == 409
    assert trial.dispatches.filter(step="fetch_usage").count() == 1


def test_a_withdrawn_trial_that_is_held_is_told_in_words(boss):
    trial = factories.TrialFactory(planned_at=timezone.now())
    factories.TrialClaimFactory(trial=trial, activation__trial=trial)
    answer = boss.post(deciding(trial, "withdraw"), filled(trial, "withdraw"))
    assert answer.status_code == 409
    assert "请先撤销该开通单" in answer.content.decode()


def test_giving_up_says_what_follows_and_asks_which_step(boss):
    trial = failed_trial()
    step(trial, "extend_trial_billing", "failed", position=2, lane=trial.pk, error_code="code_400", definite=True)
    behind = factories.OrderFactory(kind="change", trial=trial, trial_number=trial.number, planned_at=timezone.now())
    step(behind, "create_trial_billing", "waiting", lane=trial.pk)
    answer = boss.get(deciding(trial, "give_up"))
    assert "1 条从未生成的话单视为已删除，后续步骤不再包含它们。" in answer.context["will"]
    assert any(behind.number in sentence for sentence in answer.context["will"])
    assert list(dict(answer.context["form"].fields["step"].choices)) == [
        "",
        "create_trial_billing",
        "extend_trial_billing",
    ]
    boss.post(deciding(trial, "give_up"), filled(trial, "give_up", step="extend_trial_billing"))
    assert trial.dispatches.get(step="extend_trial_billing").state == "given_up"
    assert trial.dispatches.get(step="create_trial_billing").state == "failed"


def test_the_partner_is_asked_outside_any_transaction(boss, monkeypatch):
    """A slow partner must not keep a lock of the database, so the partner is called outside any transaction."""
    asked = []
    depth = len(connection.savepoint_ids)

    def ask(job_id):
        asked.append(job_id)
        assert len(connection.savepoint_ids) == depth
        return held_there(job_id)

    monkeypatch.setattr("orders.books.books.client.fetch_records", ask)
    order = acted_before()
    assert boss.post(deciding(order, "take"), filled(order, "take")).status_code == 302
    assert asked == [order.number]
    assert order.billing_records.get().state == "live"


def test_a_partner_that_does_not_answer_changes_nothing(boss, monkeypatch):
    silent = Mock(side_effect=BooksSilentError("no connection", code="refused"))
    monkeypatch.setattr("orders.books.books.client.fetch_records", silent)
    order = acted_before()
    before = changes(order)
    answer = boss.post(deciding(order, "take"), filled(order, "take"))
    assert answer.status_code == 409
    assert "没有应答" in answer.content.decode()
    assert changes(order) == before


def test_the_partner_is_not_asked_about_what_is_not_allowed(boss, monkeypatch):
    monkeypatch.setattr("orders.books.books.client.fetch_records", None)  # so that a call would raise an error
    order = failed_trial()
    assert boss.post(deciding(order, "take"), filled(order, "take")).status_code == 409


def test_a_late_withdrawal_asks_how_and_an_early_one_does_not(boss):
    order = billed()
    assert "how" not in boss.get(deciding(order, "withdraw")).context["form"].fields
    step(order, "start_bpm", position=2)
    order.billing_records.update(create_time=timezone.now() - 3 * DAY)
    answer = boss.get(deciding(order, "withdraw"))
    assert answer.context["will"][:2] == [
        "从现在起取消：将从现在起取消 1 条话单；此前已使用的仍然计费。",
        "删除：将删除 1 条话单。",
    ]
    assert boss.post(deciding(order, "withdraw"), filled(order, "withdraw")).status_code == 200
    assert boss.post(deciding(order, "withdraw"), filled(order, "withdraw", how="burn")).status_code == 200
    assert boss.post(deciding(order, "compensate"), filled(order, "compensate")).status_code == 409
    assert boss.post(deciding(order, "withdraw"), filled(order, "withdraw", how="cancel")).status_code == 302
    assert order.dispatches.get(undo=True).step == "cancel_billing"


@pytest.mark.parametrize(
    "domains, told",
    [
        ("*.example.com", "不允许使用通配符"),
        ("localhost", "只有一级名称"),
        ("10.1.2.3", "是 IP 地址，不是域名"),
        ("a.example.com\nA.example.com", "重复"),
        ("  ", "必填"),
        (",", "必填"),
    ],
)
def test_a_name_that_can_t_be_ordered_is_told_in_words(boss, domains, told):
    order = ALLOWED["name_domains"]()
    answer = boss.post(deciding(order, "name_domains"), filled(order, "name_domains", domains=domains))
    assert told in str(answer.context["form"].errors["domains"])
    assert not order.domains.exists()


def test_domains_come_one_a_line_or_with_commas(boss):
    order = ALLOWED["name_domains"]()
    boss.post(
        deciding(order, "name_domains"), filled(order, "name_domains", domains="N.example.com, b.例子.中国\nc.cn；")
    )
    assert list(order.domains.values_list("name", flat=True)) == ["N.example.com", "b.例子.中国", "c.cn"]


def test_one_of_bpm_s_records_or_a_lost_one_is_made_to_count(boss):
    order = billed()
    assert "record" not in boss.get(deciding(order, "pass")).context["form"].fields
    row = factories.ApprovalRecordFactory(order=order, result="reject", finished=True)
    choices = dict(boss.get(deciding(order, "reject")).context["form"].fields["record"].choices)
    assert list(choices) == [row.record_id, "reject"]
    assert choices[row.record_id].startswith("已驳回 · zhangsan")
    assert boss.post(deciding(order, "reject"), filled(order, "reject", record="x")).status_code == 200
    boss.post(deciding(order, "reject"), filled(order, "reject", record=row.record_id))
    order.refresh_from_db()
    assert (order.decision, order.state) == ("reject", "compensating")


def test_a_pass_and_a_reject_each_say_what_they_do(boss):
    order = billed()
    says = {key: " ".join(boss.get(deciding(order, key)).context["will"]) for key in ("pass", "reject")}
    assert "删除" in says["reject"]
    assert "删除" not in says["pass"]
    boss.post(deciding(order, "pass"), filled(order, "pass"))
    assert order.events.get(kind="decided").data["result"] == "pass"
    assert boss.get(deciding(order, "pass")).context["why_not"]
    assert not boss.get(deciding(order, "reject")).context["why_not"]


def test_what_is_accepted_is_named(boss):
    order = differing()
    factories.AffectedOrderFactory(order=order, incident__code="entered_differs", incident__partner="order")
    answer = boss.get(deciding(order, "accept"))
    assert list(dict(answer.context["form"].fields["incident"].choices)) == ["", "process_differs", "entered_differs"]
    boss.post(deciding(order, "accept"), filled(order, "accept", incident="process_differs"))
    open_ones = order.troubles.filter(closed_at=None)
    assert [row.incident.code for row in open_ones] == ["entered_differs"]


# --- difficult cases: two people at once, nonsense in the form, rights and sessions that end while the form is open


@pytest.mark.parametrize("key", [key for key, row in DECISIONS.items() if row.guarded])
def test_of_two_at_once_one_decides_and_the_other_is_told(boss, key):
    order = ALLOWED[key]()
    form = filled(order, key)
    assert boss.post(deciding(order, key), form).status_code == 302
    events, state = order.events.count(), changes(order)
    answer = boss.post(deciding(order, key), form)
    assert answer.status_code == 409
    assert answer.context["news"]
    assert (order.events.count(), changes(order)) == (events, state)


@pytest.mark.parametrize("key", DECISIONS)
def test_it_calls_one_service_once_and_none_where_it_is_refused(boss, key, monkeypatch):
    order, calls = ALLOWED[key](), []
    monkeypatch.setattr(DECISIONS[key], "act", lambda *_args, **more: calls.append(more["reason"]))
    if key != "push":  # the remark of `push` may stay empty
        boss.post(deciding(order, key), filled(order, key, reason=""))
    boss.post(deciding(order, key), filled(order, key, seen="abc"))
    assert calls == []
    assert boss.post(deciding(order, key), filled(order, key)).status_code == 302
    assert calls == ["客户经理要求"]


NONSENSE = [{"reason": "a\0b"}, {"reason": "x" * 501}, {"seen": "abc"}, {"seen": "-1"}]
OF_ITS_OWN = {"attribute": [{"letters": "\0"}], "name_domains": [{"domains": "a\0b.cn"}]}


@pytest.mark.parametrize("key", DECISIONS)
def test_nonsense_in_the_form_is_a_field_s_error(boss, key):
    order, wrong = ALLOWED[key](), {}
    before = changes(order)
    for form in [*NONSENSE, *OF_ITS_OWN.get(key, [])]:
        answer = boss.post(deciding(order, key), filled(order, key, **form))
        errors = set(answer.context["form"].errors) if answer.status_code == 200 else ()
        if (errors, changes(order)) != (set(form), before):
            wrong[repr(form)[:30]] = answer.status_code, errors, changes(order)
    assert wrong == {}


def test_a_permission_that_was_taken_meanwhile_counts(client):
    person, order = staff("resend_order"), failed()
    client.force_login(person)
    form = filled(order, "resend")
    assert client.get(deciding(order, "resend")).status_code == 200
    person.user_permissions.clear()
    assert client.post(deciding(order, "resend"), form)["Location"].startswith(reverse("admin:login"))
    client.force_login(person)
    assert client.post(deciding(order, "resend"), form).status_code == 403
    type(person).objects.filter(pk=person.pk).update(is_active=False)
    assert client.post(deciding(order, "resend"), form)["Location"].startswith(reverse("admin:login"))


def test_a_log_in_that_ended_decides_nothing_and_leads_back_to_the_form(client):
    person, order = staff("resend_order"), failed()
    person.set_password("right")
    person.save()
    form = filled(order, "resend")
    factories.OrderEventFactory(order=order, kind="note", actor="staff:li", data={"reason": "先别动"})
    away = client.post(deciding(order, "resend"), form)["Location"]
    assert away.startswith(reverse("admin:login"))
    assert order.events.get().kind == "note"
    back = client.post(away, {"username": "wang", "password": "right", "next": deciding(order, "resend")}, follow=True)
    assert back.redirect_chain[-1][0] == deciding(order, "resend")
    assert "data-draft" in back.content.decode()  # the desk's script restores the text that was typed
    assert back.context["form"]["seen"].value() == last_event(order)


def test_a_form_from_before_the_log_in_is_refused_kindly(settings):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff("resend_order"))
    answer = strict.post(deciding(failed(), "resend"), {"reason": "x"})
    assert answer.status_code == 403
    assert "请重新提交" in answer.content.decode()


def test_what_acted_before_is_not_called_refused(boss):
    """A step that ended in `acted_before` is sent again with a new key, as a refused step is. But the partner has
    acted on it, so the page must not call it refused.
    """
    page = boss.get(deciding(acted_before(), "resend")).content.decode()
    assert "作为一次新的请求重新发送" in page
    assert "已明确拒绝" not in page
