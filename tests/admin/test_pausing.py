"""Staff pause and resume a partner from the dashboard, and every page says meanwhile that the partner is paused
(contract section 5, `pause`).
"""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.lists.registration import admin_of
from orders.models import Dispatch, OrderEvent, Pause
from tests import factories as make
from tests.admin.test_query_counts import DASHBOARD, LIST, ORDER_PAGE, queries
from tests.admin.walking import desk_of, unrendered, words_of

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


def url(act, partner="bigdata"):
    return reverse(f"admin:orders_{act}_partner", args=[partner])


def stands(**more):
    return make.PauseFactory(
        **{"since": timezone.now() - HOUR, "resumed_at": None, "resumed_by": "", "reason": "机房割接"} | more
    )


def test_pausing_says_first_what_will_happen(member, settings):
    settings.PARTNER_RATE = 1
    make.DispatchFactory.create_batch(120)
    client = member("工程师")
    page = words_of(client.get(url("pause")))
    assert "120 个步骤" in page
    assert "2 分钟" in page
    until = timezone.localtime(timezone.now() + 2 * HOUR)
    answer = client.post(url("pause"), {"reason": "机房割接", "until": f"{until:%Y-%m-%dT%H:%M}"})
    assert answer.status_code == 302
    row = Pause.objects.get()
    assert (row.partner, row.reason, row.paused_by) == ("bigdata", "机房割接", f"staff:{client.person.username}")
    assert f"{timezone.localtime(row.until):%Y-%m-%d %H:%M}" == f"{until:%Y-%m-%d %H:%M}"


def test_resuming_names_the_start_days(member):
    pause = stands(since=timezone.now() - 30 * HOUR)
    order = make.OrderFactory(start_at=timezone.now() - HOUR)
    make.DispatchFactory(order=order)
    other = make.OrderFactory(start_at=timezone.now() - HOUR, attribution_id="SH")
    make.DispatchFactory(order=other)
    dashboard = words_of(member("工程师", letters=["BJ"]).get(reverse("admin:index")))
    assert order.number in dashboard
    assert other.number not in dashboard
    client = member("工程师")
    assert order.number in words_of(client.get(url("resume")))
    page = words_of(client.post(url("resume"), follow=True))
    assert order.number in page
    assert other.number in page
    pause.refresh_from_db()
    assert pause.resumed_by == f"staff:{client.person.username}"
    assert OrderEvent.objects.filter(kind="start_slept_through").count() == 2
    assert Pause.objects.not_ended().count() == 0


def test_the_second_person_is_told(member):
    client = member("工程师")
    assert "已不在暂停" in words_of(client.get(url("resume")))
    assert "已不在暂停" in words_of(client.post(url("resume"), follow=True))


def test_of_two_who_pause_the_second_is_asked_again(member):
    """Two people pause a partner. The second one is asked again, because otherwise one reason would be lost or stored
    under the other person's name.
    """
    slower = member("管理员")
    opened = slower.get(url("pause")).context["form"]["known"].value()
    stands(reason="机房割接", until=timezone.now() + HOUR)
    form = {"reason": "网络维护", "until": "", "known": opened}
    page = slower.post(url("pause"), form)
    assert "同事已更改" in words_of(page)
    row = Pause.objects.get()
    assert (row.reason, row.until is None) == ("机房割接", False)
    answer = slower.post(url("pause"), form | {"known": page.context["form"]["known"].value()})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.reason, row.until) == ("网络维护", None)


def test_a_pause_can_be_prolonged(member):
    row = stands(until=timezone.now() + HOUR)
    client = member("管理员")
    page = client.get(url("pause"))
    assert "机房割接" in page.content.decode()
    client.post(url("pause"), {"reason": "割接延长", "until": "", "known": page.context["form"]["known"].value()})
    row.refresh_from_db()
    assert (row.reason, row.until, row.resumed_at) == ("割接延长", None, None)


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "x", "until": "2020-01-01T00:00"},
        {"reason": " "},
        {"reason": "x", "until": "0001-01-01T00:00"},
        {"reason": "x", "until": "never"},
        {"reason": "x\0"},
        {"reason": "x" * 501},
        {},
    ],
)
def test_what_is_wrong_is_said(member, given):
    answer = member("工程师").post(url("pause"), given)
    assert (answer.status_code, Pause.objects.exists()) == (200, False)
    assert not Pause.objects.exists()


@pytest.mark.parametrize("role, letters, status", [
    ("业务人员", None, 403), ("审计员", None, 403), ("工程师", ["BJ"], 403),
    ("工程师", None, 200), ("管理员", None, 200),
])  # fmt: skip
def test_who_may(member, role, letters, status):
    """People limited to attributions may not pause a partner, because a pause holds back the orders of the whole
    country.
    """
    row = stands(partner="bpm")
    client = member(role, letters=letters)
    dashboard = client.get(reverse("admin:index")).content.decode()
    assert "机房割接" in dashboard
    for act, partner in (("pause", "bigdata"), ("pause", "bpm"), ("resume", "bpm")):
        assert client.get(url(act, partner)).status_code == status
        if status == 403:
            assert url(act, partner) not in dashboard
            assert client.post(url(act, partner), {"reason": "x"}).status_code == 403
    row.refresh_from_db()
    assert (Pause.objects.count(), row.resumed_at, url("resume", "bpm") in dashboard) == (1, None, status == 200)


def test_there_is_no_other_partner(member):
    assert member("工程师").get(url("pause", "files")).status_code == 404


def banner(response):
    return re.findall(r'<div class="paused".*?</div>', response.content.decode(), re.DOTALL)


@pytest.mark.whole
def test_every_page_says_so(member, settings):
    settings.PARTNER_RATE = 5
    order = make.OrderFactory()
    make.DispatchFactory(order=order)
    make.DispatchFactory(next_try_at=timezone.now() + HOUR)
    client = member("业务人员")
    pages = [
        reverse("admin:index"),
        reverse("admin:orders_order_changelist"),
        reverse("admin:orders_order_change", args=[order.pk]),
        reverse("admin:orders_pause_changelist"),
        reverse("admin:password_change"),
        reverse("admin:orders_order_resend"),
    ]
    assert not any(banner(client.get(page)) for page in pages)
    stands()
    stands(partner="mail", until=timezone.now() + HOUR)
    stands(partner="bpm", until=timezone.now() - HOUR)  # this pause is over, so calls are sent
    for page in pages:
        told = banner(client.get(page))
        assert len(told) == 2, page
        assert "机房割接" in told[0]
        assert "1 个步骤" in told[0]
        assert "1 秒" in told[0]
        assert "0 个步骤" in told[1]
    assert url("resume") not in client.get(pages[0]).content.decode()


def test_strangers_are_told_nothing(client):
    stands()
    assert not banner(client.get(reverse("admin:login")))


def test_the_dashboard_says_paused_and_not_overdue_and_an_order_that_its_step_waits(member):
    order = make.OrderFactory(
        start_at=timezone.now() - 48 * HOUR, biz_start=timezone.localdate() - 2 * datetime.timedelta(days=1)
    )
    make.DispatchFactory(order=order, state=Dispatch.State.DUE, next_try_at=timezone.now() - HOUR)
    client = member("工程师")

    def days_late():
        [row] = unrendered(client.person, reverse("admin:orders_order_changelist")).context_data["cl"].result_list
        return admin_of("orders").late(row)

    assert (desk_of(client.person).calendar.overdue, days_late()) == (1, 2)
    stands(until=timezone.now() + 2 * HOUR)
    page = client.get(reverse("admin:index"))
    assert (page.context["desk"].calendar.overdue, days_late()) == (0, None)
    (bigdata, *_others) = page.context["desk"].partners
    assert (bigdata.paused, bigdata.oldest, bigdata.number) == (True, None, 1)
    assert url("resume") in page.content.decode()
    page = words_of(member("业务人员").get(reverse("admin:orders_order_change", args=[order.pk])))
    assert "已暂停" in page
    assert "li：机房割接" in page


def test_a_pause_costs_few_queries(member):
    order = make.OrderFactory()
    make.DispatchFactory(order=order)
    client = member("管理员", letters=["BJ"])
    pages = {
        reverse("admin:index"): DASHBOARD,
        reverse("admin:orders_order_changelist"): LIST,
        reverse("admin:orders_order_change", args=[order.pk]): ORDER_PAGE,
    }
    before = {page: queries(client, page) for page in pages}
    stands()
    for page in pages:
        assert queries(client, page) <= before[page] + 3  # one of the three queries reads the names of people
