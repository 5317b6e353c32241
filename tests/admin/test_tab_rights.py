"""The tabs of an order and of a customer follow the rights of the kinds that they show."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from orders.customer_page.tabs import TABS as CUSTOMER_TABS
from orders.order_page.tabs import TABS
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    order = make.OrderFactory(enterprise_id="100ENT1", enterprise_name="某某公司", oper_tel="13712345678")
    make.ApprovalRecordFactory(order=order, opinion="保密条款有误")
    make.MailFactory(order=order, body="信件正文")
    make.OrderEventFactory(order=order, kind="note", data={"reason": "秘密备注"})
    make.InboundMessageFactory(order_number=order.number, body="原始报文")
    make.ContactFactory(attribution_id=order.attribution_id, name="赵六", mail="zhaoliu@example.com")
    make.AffectedOrderFactory(order=order)
    make.BillingRecordFactory(order=order, domain="billed.example.com")
    make.DifferenceFactory(order=order)
    return order


def signed_in(client, *rights):
    user = make.UserFactory()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def test_view_order_alone_opens_the_overview(client, order):
    client, page = (
        signed_in(client, "view_order", "see_personal_data"),
        reverse("admin:orders_order_change", args=[order.pk]),
    )
    assert [tab.key for tab in client.get(page).context["tabs"]] == ["overview"]
    for tab in TABS:
        answer = client.get(page, {"tab": tab.key, "personal": "1"})
        text = answer.content.decode()
        assert answer.context["tab"].key == "overview"
        assert not answer.context["differing"]
        assert [word for word in ("保密条款有误", "信件正文", "秘密备注", "原始报文") if word in text] == []


def test_each_right_opens_its_tab(client, order):
    page = reverse("admin:orders_order_change", args=[order.pk])
    client = signed_in(client, "view_order", "view_approvalrecord", "view_orderevent")
    assert [tab.key for tab in client.get(page).context["tabs"]] == ["overview", "approvals", "events"]
    assert "保密条款有误" in client.get(page, {"tab": "approvals"}).content.decode()


def test_view_customer_alone_opens_no_tab(client, order):
    customer = make.CustomerFactory(enterprise_id="100ENT1", last_order=order)
    client = signed_in(client, "view_customer", "see_personal_data")
    page = reverse("admin:orders_customer_change", args=[customer.pk])
    for tab in CUSTOMER_TABS:
        answer = client.get(page, {"tab": tab.key, "personal": "1"})
        text = answer.content.decode()
        assert answer.status_code == 200
        assert answer.context["tabs"] == []
        words = (order.number, "秘密备注", "zhaoliu@example.com", "13712345678", "billed.example.com")
        assert [word for word in words if word in text] == []


def test_contacts_need_the_contacts_right(client, order):
    customer = make.CustomerFactory(enterprise_id="100ENT1", last_order=order)
    client = signed_in(client, "view_customer", "view_order", "see_personal_data")
    page = reverse("admin:orders_customer_change", args=[customer.pk])
    answer = client.get(page, {"tab": "contacts", "personal": "1"})
    assert [tab.key for tab in answer.context["tabs"]] == ["orders"]
    assert "zhaoliu@example.com" not in answer.content.decode()


def test_every_role_has_all_tabs(member, order):
    page = reverse("admin:orders_order_change", args=[order.pk])
    for role in ("业务人员", "工程师", "审计员", "管理员"):
        keys = {tab.key for tab in member(role).get(page).context["tabs"]}
        assert keys >= {
            "overview",
            "domains",
            "billing",
            "bpm",
            "approvals",
            "files",
            "mails",
            "usage",
            "events",
            "raw",
        }
