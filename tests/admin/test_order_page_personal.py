"""Phones, mail addresses and names of people on an order's page are masked. Those with the permission may open them,
and this is noted once a day.
"""

import json

import pytest
from django.urls import reverse

from tests import factories
from tests.admin.orders import failed, page, staff

pytestmark = pytest.mark.django_db
TABS = ["overview", "bpm", "approvals", "mails", "raw"]
SECRET = ["13712345678", "ops@example.com", "张三丰"]


@pytest.fixture
def order():
    """An order with people's data in every tab."""
    one = failed()
    people = {"operUser": "张三丰", "operTel": "13712345678", "operMail": "ops@example.com"}
    one.oper_user, one.oper_tel, one.oper_mail = people.values()
    one.content = {"OperUser": "张三丰", "OperTel": "13712345678", "OperMail": "ops@example.com"}
    one.save()
    text = json.dumps({"data": people, "userList": [{"userMail": "ops@example.com"}]}, ensure_ascii=False)
    one.dispatches.update(payload=text)
    factories.AttemptFactory(dispatch=one.dispatches.get(), answer=text, error="13712345678 unknown")
    factories.MailFactory(order=one, recipients=["ops@example.com"], body="call 13712345678")
    factories.ApprovalRecordFactory(order=one, opinion="call 13712345678")
    factories.InboundMessageFactory(order_number=one.number, body=json.dumps({"content": one.content}))
    return one


def seen(order):
    return order.events.filter(kind="personal_data_seen")


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("query", ["", "&personal=1"])
def test_those_who_may_not_see_masks(client, order, tab, query):
    client.force_login(staff())
    text = client.get(page(order, f"?tab={tab}{query}")).content.decode()
    assert [word for word in SECRET if word in text] == []
    assert "查看明文" not in text
    assert not seen(order).exists()


@pytest.mark.parametrize("tab", TABS)
def test_those_who_may_open_them_and_it_is_noted(client, order, tab):
    client.force_login(staff("see_personal_data"))
    text = client.get(page(order, f"?tab={tab}")).content.decode()
    assert [word for word in SECRET if word in text] == []
    assert not seen(order).exists()
    text = client.get(page(order, f"?tab={tab}&personal=1")).content.decode()
    assert "137" in text or tab == "mails"
    assert [word for word in SECRET[:2] if word in text]
    assert seen(order).get().actor == "staff:wang"


def test_each_opening_is_noted(client, order):
    for name in ("wang", "li"):
        client.force_login(staff("see_personal_data", name=name))
        for tab in TABS[::2]:
            client.get(page(order, f"?tab={tab}&personal=1"))
    assert {row.actor for row in seen(order)} == {"staff:wang", "staff:li"}
    assert seen(order).count() == 2 * len(TABS[::2])


def test_a_tab_without_people_s_data_notes_nothing(client, order):
    client.force_login(staff("see_personal_data"))
    client.get(page(order, "?tab=domains&personal=1"))
    assert not seen(order).exists()


def test_a_long_payload_is_cut_and_masked_and_files_ask_for_the_permission(client, order):
    client.force_login(staff())
    people = '{"operUser": "张三丰", "operTel": "13712345678", "domains": "'
    order.dispatches.update(payload=people + "x" * 100_000 + '"}')
    answer = client.get(page(order, "?tab=bpm"))
    assert answer.context["calls"][0].cut
    assert len(answer.content) < 200_000
    assert [word for word in SECRET if word in answer.text] == []
    assert client.get(reverse("admin:orders_order_file", args=[order.pk, "busi_info"])).status_code == 403
