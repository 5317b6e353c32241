"""An incident can be put to sleep until a time. Meanwhile it sends no mails and moves down lists, but it still
counts.
"""

import datetime
import re

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from notifications.models import Mail
from orders.incidents.incidents import open_incident
from orders.incidents.stuck import stuck
from orders.models import AffectedOrder, Incident, Order, OrderEvent
from tests import factories as make
from tests.admin.walking import desk_of, unrendered
from tests.conftest import shanghai

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
LIST = reverse("admin:orders_incident_changelist")
CAUSE = {"partner": "bpm", "step": "start_bpm", "code": "code_400"}


@pytest.fixture
def incident(clock):
    """An incident that stops an order of Beijing and about which a mail was written."""
    clock.move_to(shanghai("2023-09-20 10:00:00"))
    return stop("A1")


def stop(number, **more):
    order = make.OrderFactory(number=number, state=Order.State.FAILED, state_since=timezone.now(), **more)
    return open_incident(order, **CAUSE, detail="x", now=timezone.now())


def mails():
    return Mail.objects.filter(kind="mail_incident").count()


def act(staff, incident, key, **data):
    return staff.post(reverse("admin:orders_incident_act", args=[incident.pk, key]), data, follow=True)


def sleep(staff, incident, until="2023-09-22T08:00", note="等对方升级"):
    return act(staff, incident, "sleep", until=until, note=note).content.decode()


def test_it_is_silent_until_it_wakes_by_itself(member, incident, clock):
    staff = member("工程师")
    asked = staff.get(reverse("admin:orders_incident_act", args=[incident.pk, "sleep"])).content.decode()
    assert "在此之前不会就它发送邮件" in asked
    assert "暂缓至 09-22 08:00" in sleep(staff, incident)
    before = mails()
    assert stop("S1", attribution_id="SH") == incident
    assert mails() == before
    clock.move_to(shanghai("2023-09-22 08:01:00"))
    tasks.sweep()
    assert "暂缓至 09-22" not in staff.get(LIST).content.decode()
    assert stop("S2", attribution_id="SH") == incident
    assert mails() == before + 1  # the first mail for Shanghai that is allowed since the incident woke
    kinds = OrderEvent.objects.filter(kind__in=["incident_asleep", "incident_woke"]).order_by("pk")
    assert list(kinds.values_list("kind", "actor")) == [
        ("incident_asleep", f"staff:{staff.person.username}"),
        ("incident_woke", "system"),
    ]
    assert kinds[0].data["note"] == "等对方升级"


def test_it_moves_down_and_counts_all_the_same(member, incident, capsys):
    staff = member("工程师")
    make.IncidentFactory(code="older", pk=incident.pk - 1)

    def listed():
        return [row.code for row in unrendered(staff.person, LIST).context_data["cl"].result_list]

    assert listed() == ["code_400", "older"]
    sleep(staff, incident)
    assert listed() == ["older", "code_400"]
    assert [row.url.split("/")[-3] for row in desk_of(staff.person).work[-1].rows] == [
        str(incident.pk - 1), str(incident.pk),
    ]  # fmt: skip
    assert [row.number for row in stuck()] == ["A1"]
    with pytest.raises(CommandError):
        call_command("status", "--json")
    assert '"open": 2' in capsys.readouterr().out


def test_the_orders_page_names_it_all_the_same(member, incident):
    """An order's page names a sleeping incident, both the incident at the step that it stops and the incident beside
    the steps.
    """
    order = Order.objects.get(number="A1")
    besides = open_incident(order, **CAUSE | {"code": "mail_no_recipients"}, detail="x", now=timezone.now())
    staff = member("工程师")

    def named():
        text = staff.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
        return "对方认为订单内容有误" in text, re.findall(r"/admin/orders/incident/(\d+)/change/", text)

    before = named()
    assert before == (True, [before[1][0]])
    for one in (incident, besides):
        sleep(staff, one)
    assert named() == before


def test_staff_wake_it_before_its_time(member, incident):
    staff = member("业务人员")
    assert "它没有暂缓" in act(staff, incident, "wake").content.decode()
    assert "立即恢复" in sleep(staff, incident)
    act(staff, incident, "wake")
    incident.refresh_from_db()
    assert (incident.asleep_until, incident.is_asleep(timezone.now())) == (None, False)


@pytest.mark.parametrize(
    "until, note, said",
    [
        ("2023-09-20T09:00", "x", "该时间已过"),
        ("2024-09-20T09:00", "x", "最多暂缓 90 天"),
        ("", "x", "必填"),
        ("2023-09-22T09:00", "", "必填"),
    ],
)
def test_what_it_needs_to_sleep(member, incident, until, note, said):
    assert said in sleep(member("工程师"), incident, until, note)
    incident.refresh_from_db()
    assert incident.asleep_until is None


def test_what_is_over_does_not_sleep_and_who_sees_a_part_lets_nothing_sleep(member, incident):
    make.AffectedOrderFactory(incident=incident, order__attribution_id="SH")
    url = reverse("admin:orders_incident_act", args=[incident.pk, "sleep"])
    assert member("工程师", letters=["BJ"]).get(url).status_code == 403
    AffectedOrder.objects.update(closed_at=timezone.now())
    Incident.objects.update(state="resolved")
    sleep(member("工程师"), incident)
    assert not Incident.objects.filter(asleep_until__gt=datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)).exists()
