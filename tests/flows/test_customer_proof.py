"""The customer's proof: a page that is made from an order's history, and states no more than our records contain."""

import re

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from orders.models import BillingRecord, Order
from tests import factories as make
from tests.admin.test_query_counts import queries
from tests.flows.conftest import BPM
from tests.flows.contents import activation, change, trial

A, B, C = "a.example.com", "b.example.com", "c.example.com"
INTERNAL = ["BPM", "BBOSS", "大数据", "话单", "幂等", "JSON", "{", "create_", "live", "13800000000", "张三", "138***"]


def reader(role="业务人员", letters=None):
    client, user = Client(), make.UserFactory(letters=letters)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)
    return client


def address(desk, number):
    return reverse("admin:orders_order_proof", args=[desk.order(number).pk])


def proof(desk, number):
    """Returns the parts of the page: the lines about the present, the periods, and the days. Each line is one text."""
    answer = reader().get(address(desk, number))
    content = answer.text[answer.text.index('<div class="act">') :].partition("</main>")[0]
    text = " ".join(strip_tags(content).split())
    assert [word for word in INTERNAL if word in text] == []
    found = answer.context["proof"]
    now = [" ".join(strip_tags(line).split()) for line in re.findall("<li>(.*?)</li>", content, re.DOTALL)]
    shown = [
        (
            one.number,
            str(one.kind),
            one.course.label,
            one.begins and f"{one.begins.astimezone():%m-%d %H:%M}",
            one.ends and f"{one.ends.astimezone():%m-%d %H:%M}",
            one.names,
        )
        for one in found.periods
    ]
    days = {
        f"{day:%m-%d}": [f"{one.number} {one.what} {one.names}".strip() for one in ones] for day, ones in found.days
    }
    return now, shown, days


def test_a_trial_that_changed_and_was_bought_is_told_day_by_day(desk):
    desk.at("2023-09-20 10:00:00")
    desk.play(trial("T1", A, B))
    desk.at("2023-09-22 10:00:00")
    desk.play(change("C1", B, C, BizEnd="20231231"))
    desk.at("2023-09-25 10:00:00")
    desk.play(activation("A1", start="20231001"))
    now, periods, _days = proof(desk, "A1")
    assert now == [
        "试用（不计费） · 2 个域名 · 生效中 · 自 2023-09-20 10:00 起 · 至 2023-12-31 23:59 止",
    ]
    assert ("A1", "计费", "尚未生效", "10-01 00:00", None, f"{B}、{C}") in periods
    desk.sweep("2023-10-01 00:00:00")
    # the page has the start that was ordered
    assert '<td class="time">2023-10-01</td>' in reader().get(address(desk, "A1")).text
    now, periods, days = proof(desk, "T1")
    assert now == ["计费 · 2 个域名 · 生效中 · 自 2023-10-01 00:00 起"]
    assert periods == [
        ("T1", "试用（不计费）", "已结束", "09-20 10:00", "09-22 10:00", A),
        ("T1", "试用（不计费）", "已结束", "09-20 10:00", "10-01 00:00", B),
        ("T1", "试用（不计费）", "已结束", "09-22 10:00", "10-01 00:00", C),
        ("A1", "计费", "生效中", "10-01 00:00", None, f"{B}、{C}"),
    ]
    assert days["09-20"] == [
        "T1 收到订单：试用单",
        f"T1 试用登记（已确认） {A}、{B}",
        f"T1 试用开始 {A}",
        f"T1 试用开始 {B}",
    ]
    assert f"C1 试用增加域名（已确认） {C}" in days["09-22"]
    assert f"C1 试用移除域名（已确认） {A}" in days["09-22"]
    assert days["09-25"] == ["A1 收到订单：开通单", f"A1 计费登记（已确认） {B}、{C}"]
    assert f"A1 计费开始 {B}、{C}" in days["10-01"]


def test_a_rejected_activation_was_never_billed(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", C))
    desk.decided("A2", "reject")
    now, periods, days = proof(desk, "A2")
    assert now == ["计费 · 1 个域名 · 生效中 · 自 2023-09-20 18:54 起"]  # this line is about A1
    assert [one[2:] for one in periods if one[0] == "A2"] == [("未生效或已撤回", None, None, C)]
    assert "A2 审批未通过" in days["09-20"]
    assert not [line for line in days["09-20"] if line.startswith("A2 计费开始")]


def test_what_was_taken_back_is_not_billed_and_what_is_unsure_is_in_question(desk):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    _now, periods, days = proof(desk, "A1")
    assert ("A1", "计费", "未生效或已撤回", None, None, A) in periods
    assert f"A1 计费撤回（已确认） {A}" in days["09-20"]
    record = BillingRecord.objects.get(order__number="T1")
    make.DifferenceFactory(order=record.order, product_id=record.product_id, domain=record.domain)
    now, periods, _days = proof(desk, "T1")
    assert [one[2] for one in periods if one[0] == "T1"] == ["待核对"]
    assert "待核对" in now[0]
    record.order.differences.all().delete()
    BillingRecord.objects.filter(pk=record.pk).update(state="unknown")
    assert [one[2] for one in proof(desk, "T1")[1] if one[0] == "T1"] == ["待核对"]


def test_nothing_is_claimed_before_anything_was_confirmed(desk):
    desk.post(trial("T1", A))
    now, periods, days = proof(desk, "T1")
    assert now == ["目前没有生效的试用或计费。"]
    assert periods == [("T1", "试用（不计费）", "尚未生效", None, None, A)]
    assert days == {"09-20": ["T1 收到订单：试用单"]}


def test_it_stands_beside_print_within_the_reader_s_attributions_and_asks_little(desk):
    desk.play(trial("T1", A), activation("A1"))
    page = reader().get(reverse("admin:orders_order_change", args=[desk.order("A1").pk])).text
    assert page.index("/print/") < page.index(address(desk, "A1"))
    beijing, shanghai = reader(letters=["BJ"]), reader(letters=["SH"])
    assert beijing.get(address(desk, "A1")).status_code == 200
    assert shanghai.get(address(desk, "A1")).status_code == 404
    Order.objects.filter(number="T1").update(attribution="SH")
    assert [one.number for one in beijing.get(address(desk, "A1")).context["proof"].orders] == ["A1"]
    assert queries(reader("审计员"), address(desk, "A1")) <= 15
