"""Each role has a short menu of what it needs each day. All other pages can still be reached."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from orders.lists.registration import Role
from tests import factories as make
from tests.admin.walking import unrendered

pytestmark = pytest.mark.django_db
CLERK = ["首页", "订单", "客户", "待办", "话单", "审批记录", "异常", "联系人"]
MACHINES = ["后台程序", "连接状态", "发送记录", "试用单占用", "已受理流水号"]


def menu(client) -> list[str]:
    return [str(entry["name"]) for entry in entries(unrendered(client.person, "/admin/").context_data)]


def entries(context) -> list[dict]:
    return [entry for section in context["available_apps"] for entry in section["models"]]


def test_a_clerk_has_eight_entries(member):
    assert menu(member(Role.BUSINESS)) == CLERK


def test_the_others_have_theirs(member):
    approver, engineer = menu(member(Role.APPROVER)), menu(member(Role.ENGINEER))
    auditor, boss = menu(member(Role.AUDITOR)), menu(member(Role.ADMINISTRATOR))
    assert set(CLERK) < set(approver)
    assert len(approver) <= 12
    assert not set(MACHINES) & set(approver)
    assert {*CLERK[:-1], *MACHINES} <= set(engineer)
    assert "用户" not in engineer
    assert {"审计", "事件", "导出记录"} <= set(auditor)
    assert not {*MACHINES, "待办"} & set(auditor)
    assert {"用户", "角色", "归属", "审计", *MACHINES[:2]} <= set(boss)
    assert not {"待办", "客户"} & set(boss)


def test_machines_stand_under_operations(member):
    sections = unrendered(member(Role.ENGINEER).person, "/admin/").context_data["available_apps"]
    names = {str(entry["name"]) for entry in sections[-1]["models"]}
    assert (str(sections[-1]["name"]), set(MACHINES) <= names) == ("运维", True)


def test_what_is_not_in_the_menu_is_below_the_home_page_and_found(member):
    clerk = member(Role.BUSINESS)
    answer = clerk.get("/admin/")
    everything = {str(entry["name"]) for section in answer.context["app_list"] for entry in section["models"]}
    assert everything > {"连接状态", "事件", "邮件", *CLERK} - {"首页"}
    address = reverse("admin:integrations_breaker_changelist")
    assert clerk.get(address).status_code == 200
    assert clerk.get("/admin/find/", {"q": "连接状态"}).headers["Location"] == address
    # the role may not see this list, so the search does not find it
    assert clerk.get("/admin/find/", {"q": "失败的任务"}).status_code == 200


def test_a_sites_own_role_sees_all_that_it_may(client):
    user = make.UserFactory()
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_mail", "view_breaker"]))
    client.force_login(user)
    client.person = user
    assert menu(client) == ["首页", "邮件", "连接状态"]


@pytest.mark.parametrize(
    "address, query, current",
    [
        ("/admin/", {}, [("首页", "page")]),
        ("/admin/orders/order/", {}, [("订单", "page")]),
        ("/admin/orders/order/", {"state__exact": "held"}, [("订单", "page")]),
        ("/admin/orders/order/", {"needs": "somebody", "o": "since"}, [("待办", "page")]),
        ("order", {}, [("订单", "true")]),
        ("/admin/sessions/", {}, []),
    ],
)
def test_the_current_entry_is_marked(member, address, query, current):
    if address == "order":
        address = reverse("admin:orders_order_change", args=[make.OrderFactory().pk])
    page = member(Role.BUSINESS).get(address, query)
    found = entries(page.context)
    assert [(str(one["name"]), one["current"]) for one in found if "current" in one] == current
    assert page.text.count(f'aria-current="{current[0][1]}"' if current else "current-model") >= len(current)
