"""Decisions on bad days: two at once, nonsense in the form, rights and log-ins that end while the form is open."""

import itertools

import pytest
from django.test import Client
from django.urls import reverse

from orders.order_page.decisions.registry import DECISIONS
from orders.order_page.order_facts import last_event
from tests import factories
from tests.admin.orders import ALLOWED, acted_before, changes, deciding, failed, filled, staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


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
    if key != "push":  # its remark may stay empty
        boss.post(deciding(order, key), filled(order, key, reason=""))
    boss.post(deciding(order, key), filled(order, key, seen="abc"))
    assert calls == []
    assert boss.post(deciding(order, key), filled(order, key)).status_code == 302
    assert calls == ["客户经理要求"]


NONSENSE = [{"reason": "a\0b"}, {"reason": "x" * 501}, {"seen": "abc"}, {"seen": "-1"}]


@pytest.mark.parametrize(
    "key, form",
    [
        *itertools.product(DECISIONS, NONSENSE),
        ("attribute", {"letters": "\0"}),
        ("name_domains", {"domains": "a\0b.cn"}),
    ],
)
def test_nonsense_in_the_form_is_a_field_s_error(boss, key, form):
    order = ALLOWED[key]()
    before = changes(order)
    answer = boss.post(deciding(order, key), filled(order, key, **form))
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == set(form)
    assert changes(order) == before


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


def test_after_the_log_in_they_are_at_the_form_again(client):
    person, order = staff("resend_order"), failed()
    person.set_password("right")
    person.save()
    form = filled(order, "resend")
    factories.OrderEventFactory(order=order, kind="note", actor="staff:li", data={"reason": "先别动"})
    away = client.post(deciding(order, "resend"), form)["Location"]
    back = client.post(away, {"username": "wang", "password": "right", "next": deciding(order, "resend")}, follow=True)
    assert back.redirect_chain[-1][0] == deciding(order, "resend")
    assert "data-draft" in back.content.decode()  # desk's script restores the words that were typed
    assert back.context["form"]["seen"].value() == last_event(order)


def test_a_log_in_that_ended_decides_nothing(client):
    order = failed()
    answer = client.post(deciding(order, "resend"), filled(order, "resend"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))
    assert not order.events.exists()


def test_a_form_from_before_the_log_in_is_refused_kindly(settings):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff("resend_order"))
    answer = strict.post(deciding(failed(), "resend"), {"reason": "x"})
    assert answer.status_code == 403
    assert "请重新提交" in answer.content.decode()


def test_what_acted_before_is_not_called_refused(boss):
    """It gets a new key too, though the partner has carried it out."""
    page = boss.get(deciding(acted_before(), "resend")).content.decode()
    assert "作为一次新的请求重新发送" in page
    assert "已明确拒绝" not in page
