"""Adding a decision is one file: a file is put beside the others, and the pages show, ask and take it."""

import sys

import pytest
from django.urls import reverse

from orders.order_page import decisions
from orders.order_page.decisions import registry
from tests.admin.orders import billed, failed, page, staff

FILE = '''
"""Applaud an order that is active."""

from orders.texts.errors import NotAllowedError
from orders.order_page.decisions.base import Decision
from orders.people.staff_events import add_note


class Applaud(Decision):
    key = "applaud"
    place = 15
    label = "鼓掌"
    permission = "orders.add_note"
    done = "已鼓掌。"

    def why_not(self, facts):
        active = facts.order.state == "active"
        return None if active else NotAllowedError("open_state", state=facts.order.state)

    def will(self, facts):
        return ["大家都会听到。"]

    def act(self, facts, *, by, reason):
        add_note(number=facts.order.number, by=by, reason=reason, now=facts.now)
'''


@pytest.fixture
def applaud(tmp_path, monkeypatch):
    (tmp_path / "applaud.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(decisions, "__path__", [*decisions.__path__, str(tmp_path)])
    found = registry.find_decisions()
    for key in {*found} - {*registry.DECISIONS}:
        monkeypatch.setitem(registry.DECISIONS, key, found[key])
    yield found["applaud"]
    sys.modules.pop("orders.order_page.decisions.applaud", None)


def applauding(order):
    return reverse("admin:orders_order_decide", args=[order.pk, "applaud"])


def test_its_place_in_the_menu_is_its_own(applaud):
    assert list(registry.find_decisions())[:3] == ["resend", "applaud", "waive"]
    places = [row.place for row in registry.find_decisions().values()]
    assert len(places) == len(set(places))


@pytest.mark.django_db
def test_it_is_offered_asked_and_taken(applaud, client):
    order = billed()
    client.force_login(staff("add_note"))
    assert applauding(order) in client.get(page(order)).content.decode()
    answer = client.get(applauding(order))
    assert answer.context["will"] == ["大家都会听到。"]
    answer = client.post(applauding(order), {"reason": "做得好", "seen": 0}, follow=True)
    assert "已鼓掌。" in answer.content.decode()
    event = order.events.get()
    assert (event.kind, event.actor, event.data["reason"]) == ("note", "staff:wang", "做得好")


@pytest.mark.django_db
def test_its_guard_and_its_permission_count(applaud, client):
    order = failed()
    client.force_login(staff("add_note", name="wang"))
    assert applauding(order) not in client.get(page(order)).content.decode()
    assert "当前状态不允许：失败" in client.get(applauding(order)).content.decode()
    assert client.post(applauding(order), {"reason": "x", "seen": 0}).status_code == 409
    client.force_login(staff("resend_order", name="li"))
    assert client.post(applauding(billed()), {"reason": "x", "seen": 0}).status_code == 403
