"""Each decision: who may, when, with a reason, on an order that nobody changed meanwhile; one event."""

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import Order
from orders.pages.decisions import DECISIONS
from tests import factories
from tests.admin.orders import (
    ALLOWED,
    NOT_ALLOWED,
    PERMISSIONS,
    billed,
    changes,
    deciding,
    failed,
    filled,
    page,
    staff,
    step,
)

pytestmark = pytest.mark.django_db
EVENTS = {
    "resend": "resend",
    "waive": "waived",
    "attribute": "attribution_chosen",
    "activate": "activation_run",
    "call_off": "withdrawn",
    "usage": "usage_asked",
    "note": "note",
    "compensate": "compensated",
    "withdraw": "withdrawn",
}
every_decision = pytest.mark.parametrize("key", list(DECISIONS))


def test_every_decision_is_tried():
    assert set(DECISIONS) == set(ALLOWED) == set(PERMISSIONS) == set(EVENTS) == {*NOT_ALLOWED, "note"}
    assert {key: row.permission for key, row in DECISIONS.items()} == {
        key: f"orders.{name}" for key, name in PERMISSIONS.items()
    }


@every_decision
def test_it_is_offered_to_those_who_may(client, key):
    order = ALLOWED[key]()
    client.force_login(staff(PERMISSIONS[key]))
    text = client.get(page(order)).content.decode()
    assert deciding(order, key) in text


@every_decision
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


@every_decision
def test_it_says_what_will_happen_and_asks_the_reason(boss, key):
    order = ALLOWED[key]()
    answer = boss.get(deciding(order, key))
    assert answer.status_code == 200
    assert answer.context["will"]
    assert 'name="reason"' in answer.content.decode()
    assert not order.events.exists()


@every_decision
@pytest.mark.parametrize("reason", ["", "   "], ids=["none", "blank"])
def test_no_reason_no_decision(boss, key, reason):
    order = ALLOWED[key]()
    before = changes(order)
    answer = boss.post(deciding(order, key), filled(order, key, reason=reason))
    assert answer.status_code == 200
    assert answer.context["form"].errors["reason"]
    assert changes(order) == before


@every_decision
def test_it_is_done_once_with_one_event(boss, key):
    order = ALLOWED[key]()
    answer = boss.post(deciding(order, key), filled(order, key))
    assert answer.status_code == 302
    assert answer["Location"] == page(order)
    event = order.events.get(kind=EVENTS[key])
    assert (event.actor, event.data["reason"]) == ("staff:boss", "客户经理要求")
    assert order.events.filter(actor="staff:boss").exclude(kind__in=["state", "undo_mark"]).exclude(
        kind__in=["incident_over", "went_on"]
    ).count() == 1  # fmt: skip


@pytest.mark.parametrize("key", list(NOT_ALLOWED))
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
    again = {"reason": "还是要做", "seen": answer.context["form"]["seen"].value(), "letters": "SH"}
    assert boss.post(deciding(order, key), again).status_code == 302


def test_the_second_of_two_is_told(boss):
    order = failed()
    first, second = filled(order, "resend"), filled(order, "resend")
    assert boss.post(deciding(order, "resend"), first).status_code == 302
    answer = boss.post(deciding(order, "resend"), second)
    assert answer.status_code == 409
    assert [one.row.kind for one in answer.context["news"]] == ["resend", "state"]
    assert answer.context["why_not"]
    assert order.events.filter(kind="resend").count() == 1


def test_mere_looking_makes_no_form_stale(boss):
    order = failed()
    form = filled(order, "resend")
    boss.get(page(order, "?personal=1"))
    assert order.events.filter(kind="personal_data_seen").exists()
    assert boss.post(deciding(order, "resend"), form).status_code == 302


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


def test_a_name_with_html_in_it_stays_text(client):
    user = staff("add_note", name="<b>li</b>@x")
    client.force_login(user)
    order = failed()
    order.enterprise_name = "<script>alert(1)</script>"
    order.save()
    client.post(deciding(order, "note"), filled(order, "note", reason="<img src=x>"))
    text = (
        client.get(page(order, "?tab=events")).content.decode() + client.get(deciding(order, "note")).content.decode()
    )
    assert "<script>alert" not in text
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text


def test_a_resend_of_a_step_that_is_done_changes_nothing(boss):
    order = failed()
    done = step(order, "create_billing", "done")
    boss.post(deciding(order, "resend"), filled(order, "resend"))
    done.refresh_from_db()
    assert done.state == "done"
