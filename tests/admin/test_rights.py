"""The tabs of an order and of a customer, and events without an order, are shown to those who may see what they are
about.
"""

import datetime

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from orders.customer_page.tabs import TABS as CUSTOMER_TABS
from orders.order_page.tabs import TABS
from tests import factories as make
from tests.admin.walking import unrendered

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_orderevent_changelist")


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


@pytest.mark.whole
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
        keys = {tab.key for tab in unrendered(member(role).person, page).context_data["tabs"]}
        assert keys >= {tab.key for tab in TABS if not tab.only_calls}


# --- events about exports, schedules, views and tokens


def seen(client, event):
    """Returns whether the list shows the event. Asserts that the event's own page agrees."""
    listed = {row.pk for row in unrendered(client.person, LIST).context_data["cl"].result_list}
    page = client.get(reverse("admin:orders_orderevent_change", args=[event.pk])).status_code == 200
    assert (event.pk in listed) is page
    return page


def event(kind, **data):
    return make.OrderEventFactory(order=None, kind=kind, actor="staff:somebody", data=data)


@pytest.mark.parametrize(
    "kind, roles",
    [
        ("schedule_saved", {"审计员", "管理员"}),
        ("view_saved", set()),
        ("api_token_made", {"管理员"}),
        ("restore_released", {"工程师", "审计员", "管理员"}),
        ("account_roles", {"审计员", "管理员"}),
        ("emergency_login", {"审计员", "管理员"}),
        ("notice_resent", {"工程师", "审计员", "管理员"}),
        ("bulk_begun", {"业务人员", "工程师", "审计员", "管理员"}),
        ("pruned", {"业务人员", "工程师", "审计员", "管理员"}),
    ],
)
def test_who_sees_what(member, kind, roles):
    row = event(kind, view=10**6, schedule=10**6, name="审计组秘密核查", system="计费")
    assert {role for role in ("业务人员", "工程师", "审计员", "管理员") if seen(member(role), row)} == roles


@pytest.mark.parametrize("account_id, days, own", [(None, 1, True), (None, -1, False), (10**6, 1, False)])
def test_one_s_own_deeds_are_seen_and_a_namesake_s_are_not(member, account_id, days, own):
    """People see the events of their own acts. An event without an account id that is older than the account belongs
    to a deleted account of the same name, because names could be given again then.
    """
    client = member("业务人员")
    at = client.person.date_joined + datetime.timedelta(days=days)
    actor = f"staff:{client.person.username}"
    row = make.OrderEventFactory(
        order=None, kind="schedule_saved", actor=actor, account_id=account_id, at=at, data={"name": "审计组秘密核查"}
    )
    assert seen(client, row) is own


def test_an_owner_sees_who_switched_a_schedule_off(member):
    client = member("业务人员")
    schedule = make.ScheduledExportFactory(owner=client.person)
    assert seen(client, event("schedule_switched_off", schedule=schedule.pk))
    assert not seen(member("业务人员"), event("schedule_switched_off", schedule=schedule.pk))


def test_a_shared_view_s_events_are_seen_by_its_role(member):
    view = make.SavedViewFactory(role=Group.objects.get(name="工程师"))
    row = event("view_shared", view=view.pk)
    assert seen(member("工程师"), row)
    assert not seen(member("业务人员"), row)


def test_a_site_made_role_sees_what_its_rights_say(member):
    client = member()
    client.person.user_permissions.set(Permission.objects.filter(codename="view_orderevent"))
    kinds = ["bulk_begun", "incident_noted", "reconciled", "notice_resent", "database_restored", "api_token_revoked"]
    assert [kind for kind in kinds if seen(client, event(kind))] == []
    assert seen(client, make.OrderEventFactory(kind="note"))
