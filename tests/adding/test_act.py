"""An act is added by one file and one row of a table. Then pages, runs on many rows and requests to second persons
offer it.
"""

import sys
from importlib import import_module

import pytest
from django.urls import reverse

from orders import actions
from orders.actions.all_actions import BULK_ACTS, DECISIONS
from orders.models import AskedAct
from tests.admin.orders import billed, failed, page, staff
from tests.office.bulking import begin, new, outcomes, picked

FILE = '''
"""Applaud an order that is active."""

from orders.actions.action import Action
from orders.actions.bulk_action import Bulk, Judged, each
from orders.models import Order
from orders.people.staff_events import add_note
from orders.texts.errors import NotAllowedError


def why_not(order):
    return None if order.state == "active" else NotAllowedError("open_state", state=order.state)


APPLAUD = Action(
    key="applaud",
    label="鼓掌",
    permission="orders.add_note",
    four_eyes="proceed",
    done="已鼓掌。",
    why_not=lambda facts: why_not(facts.order),
    follows="大家都会听到。",
    service=add_note,
    bulk=Bulk(
        model=Order,
        judge=each(lambda row: Judged(row, "会听到", "", acts=not why_not(row))),
        given=lambda row, run, owner: {"number": row.number},
    ),
)
'''


@pytest.fixture
def applaud(tmp_path, monkeypatch):
    (tmp_path / "applaud.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(actions, "__path__", [*actions.__path__, str(tmp_path)])
    row = import_module("orders.actions.applaud").APPLAUD
    monkeypatch.setitem(DECISIONS, row.key, row)
    monkeypatch.setitem(BULK_ACTS, row.key, row.bulk)  # production fills this table from the table of decisions
    yield row
    sys.modules.pop("orders.actions.applaud", None)


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("applaud")]


def applauding(order):
    return reverse("admin:orders_order_decide", args=[order.pk, "applaud"])


def test_its_place_in_the_menu_is_its_rows_in_the_table(client):
    client.force_login(staff("add_note", "compensate_order"))
    order = billed()
    text = client.get(page(order)).content.decode()
    offered = [key for key in DECISIONS if reverse("admin:orders_order_decide", args=[order.pk, key]) in text]
    assert offered == ["note", "remind", "compensate", "applaud"]
    assert offered == sorted(offered, key=lambda key: text.rindex(f"/do/{key}/"))


def test_it_is_offered_asked_and_taken(client):
    order = billed()
    client.force_login(staff("add_note"))
    assert applauding(order) in client.get(page(order)).content.decode()
    answer = client.get(applauding(order))
    assert answer.context["will"] == ["大家都会听到。"]
    answer = client.post(applauding(order), {"reason": "做得好", "seen": 0}, follow=True)
    assert "已鼓掌。" in answer.content.decode()
    event = order.events.get()
    assert (event.kind, event.actor, event.data["reason"]) == ("note", "staff:wang", "做得好")


def test_its_guard_and_its_permission_count(client):
    order = failed()
    client.force_login(staff("add_note", name="wang"))
    assert applauding(order) not in client.get(page(order)).content.decode()
    assert "当前状态不允许：失败" in client.get(applauding(order)).content.decode()
    assert client.post(applauding(order), {"reason": "x", "seen": 0}).status_code == 409
    client.force_login(staff("resend_order", name="li"))
    assert client.post(applauding(billed()), {"reason": "x", "seen": 0}).status_code == 403


def test_a_second_person_confirms_it_where_its_word_is_in_four_eyes(client, settings):
    settings.FOUR_EYES = {"proceed": 0}
    order = billed()
    client.force_login(staff("add_note", name="wang"))
    client.post(applauding(order), {"reason": "做得好", "seen": 0})
    row = AskedAct.objects.get()
    assert (row.decision, row.right, order.events.filter(kind="note").exists()) == ("applaud", "orders.add_note", False)
    client.force_login(staff("add_note", "view_askedact", name="li"))
    shown = client.get(reverse("admin:orders_askedact_change", args=[row.pk]))
    preview = shown.context["preview"]
    assert (preview.will, "鼓掌" in shown.text) == (["大家都会听到。"], True)
    told = {"told": preview.told, "seen": preview.last_event_id}
    assert client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), told).status_code == 302
    assert order.events.get(kind="note").actor == "staff:wang"


def test_its_list_offers_it_for_many_rows(client):
    client.force_login(staff("add_note", name="wang"))
    one, two, other = billed(), billed(), billed()
    assert f'formaction="{new("applaud", "")[:-1]}"' in client.get(reverse("admin:orders_order_changelist")).text
    run = begin(client, new("applaud", picked(one, two)))
    assert outcomes(run) == ("done", 2, 0)
    assert [order.events.filter(kind="note").count() for order in (one, two, other)] == [1, 1, 0]
    client.force_login(staff("resend_order", name="li"))
    assert client.get(new("applaud", picked(one))).status_code == 403
