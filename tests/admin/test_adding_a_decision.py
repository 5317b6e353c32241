"""Adding an act is one file and one row of the table: the pages show, ask and take it."""

import sys
from importlib import import_module

import pytest
from django.urls import reverse

from orders import actions
from orders.actions.table import DECISIONS
from tests.admin.orders import billed, failed, page, staff

FILE = '''
"""Applaud an order that is active."""

from orders.actions.action import Action
from orders.people.staff_events import add_note
from orders.texts.errors import NotAllowedError


def why_not(facts):
    return None if facts.order.state == "active" else NotAllowedError("open_state", state=facts.order.state)


APPLAUD = Action(
    key="applaud",
    label="鼓掌",
    permission="orders.add_note",
    done="已鼓掌。",
    why_not=why_not,
    follows="大家都会听到。",
    service=add_note,
)
'''


@pytest.fixture
def applaud(tmp_path, monkeypatch):
    (tmp_path / "applaud.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(actions, "__path__", [*actions.__path__, str(tmp_path)])
    row = import_module("orders.actions.applaud").APPLAUD
    monkeypatch.setitem(DECISIONS, row.key, row)
    yield row
    sys.modules.pop("orders.actions.applaud", None)


def applauding(order):
    return reverse("admin:orders_order_decide", args=[order.pk, "applaud"])


@pytest.mark.django_db
def test_its_place_in_the_menu_is_its_rows_in_the_table(applaud, client):
    client.force_login(staff("add_note", "compensate_order"))
    order = billed()
    text = client.get(page(order)).content.decode()
    offered = [key for key in DECISIONS if reverse("admin:orders_order_decide", args=[order.pk, key]) in text]
    assert offered == ["note", "compensate", "applaud"]
    assert offered == sorted(offered, key=lambda key: text.rindex(f"/do/{key}/"))


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
