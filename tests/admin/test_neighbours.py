"""An order's page links to the next and the previous order of the list from which it was opened, and back to that
list.
"""

import datetime
import html
import re
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import Order
from tests import factories as make
from tests.admin.walking import unrendered

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_order_changelist")
NEAR = re.compile(r'<a rel="(prev|next)" href="([^"]+)"')
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def orders():
    """Eight orders. Some have the same start day or none, some are held, and one is of another province."""
    now, day = timezone.now(), datetime.date(2026, 11, 1)
    rows = [
        make.OrderFactory(
            state="held" if number % 2 else "awaiting_approval",
            held_because="trial_missing" if number % 2 else "",
            state_since=None if number == 3 else now - (number % 5) * HOUR,
            biz_start=None if number in (2, 5) else day + datetime.timedelta(days=number // 3),
            attribution_id="SH" if number == 4 else "BJ",
        )
        for number in range(8)
    ]
    for number in (0, 1, 6):
        again = now + number * HOUR
        make.DispatchFactory(
            order=rows[number], state="retrying", attempts=number % 3, next_try_at=again, frozen_at=now
        )
    return rows


def near(client, address: str) -> dict[str, str]:
    answer = client.get(address)
    assert answer.status_code == 200
    return {rel: html.unescape(href) for rel, href in NEAR.findall(answer.content.decode())}


def page_of(order: Order, query: str) -> str:
    return f"{reverse('admin:orders_order_change', args=[order.pk])}?{urlencode({'_changelist_filters': query})}"


def leads_to(user, pk: int, query: str) -> tuple:
    """Returns the orders before and after this one, as its page links them."""
    page = unrendered(user, reverse("admin:orders_order_change", args=[pk]), {"_changelist_filters": query})
    near = page.context_data["near"]
    return getattr(near.before, "pk", None), getattr(near.after, "pk", None)


def in_a_row(listed: list[int]) -> list[tuple]:
    return list(zip([None, *listed[:-1]], [*listed[1:], None], strict=True))


@pytest.mark.parametrize(
    "query",
    [
        "p=1",
        "state__exact=held",
        "attribution__letters__exact=BJ",
        "needs=start&o=since",
        "o=start_day",
        "o=-start_day.number",
        "o=since",
        "o=-since",
        "o=attempts",
        "o=-next_try",
        "o=-received",
        "columns=number&view=x",
    ],
)
def test_next_and_previous_walk_through_the_list(admin_user, orders, query):
    listed = [order.pk for order in unrendered(admin_user, f"{LIST}?{query}").context_data["cl"].result_list]
    assert len(listed) > 2
    assert [leads_to(admin_user, pk, query) for pk in listed] == in_a_row(listed)


def test_the_list_s_links_lead_into_the_walk(admin_client, orders):
    text = admin_client.get(LIST).content.decode()
    address = html.unescape(re.search(rf'href="([^"]*/order/{orders[5].pk}/change/[^"]*)"', text)[1])
    links = near(admin_client, address)
    assert [int(links[rel].split("/")[-3]) for rel in ("prev", "next")] == [orders[6].pk, orders[4].pk]
    assert near(admin_client, links["next"])["prev"] == address


def test_a_limited_account_meets_its_own_orders_only(member, orders):
    client = member("业务人员", letters=["BJ"])
    own = [orders[place].pk for place in (7, 6, 5, 3, 2, 1, 0)]
    assert [leads_to(client.person, pk, "p=1") for pk in own] == in_a_row(own)


def test_an_act_takes_nobody_out_of_the_list(admin_client, orders):
    held = [order.pk for order in admin_client.get(f"{LIST}?state__exact=held").context["cl"].result_list]
    here, query = Order.objects.get(pk=held[1]), "state__exact=held"
    text = admin_client.get(page_of(here, query)).content.decode()
    act = html.unescape(re.search(r'href="([^"]*/do/note/[^"]*)"', text)[1])
    Order.objects.filter(pk=here.pk).update(state="in_progress", held_because="", state_since=timezone.now())
    seen = re.search(r'name="seen" value="(\d+)"', admin_client.get(act).content.decode())[1]
    answer = admin_client.post(act, {"seen": seen, "reason": "已联系客户"})
    assert answer.status_code == 302
    links = near(admin_client, answer.headers["Location"])
    assert [int(links[rel].split("/")[-3]) for rel in ("prev", "next")] == [held[0], held[2]]


@pytest.mark.parametrize("query", ["", "nonsense=1", "state__exact=none", "start=2026-99-99", "q=%00", "o=nothing"])
def test_an_address_that_names_no_list_shows_the_order_all_the_same(admin_client, orders, query):
    assert (near(admin_client, page_of(orders[3], query)) == {}) == (query != "o=nothing")


@pytest.mark.parametrize("place", ["x", "[]", "[1, 2, 3, 4]", '["x"]', "[null]", '[{"a": 1}]', "[" * 900, "[1e999]"])
def test_a_wrong_place_does_no_harm(admin_client, orders, place):
    near(admin_client, f"{page_of(orders[3], 'p=1')}&{urlencode({'place': place})}")


def test_the_breadcrumbs_keep_the_filter(admin_client, orders):
    crumbs = (
        admin_client.get(page_of(orders[1], "state__exact=held")).content.decode().partition('class="breadcrumbs"')[2]
    )
    steps = re.findall(r'<a href="([^"]+)">([^<]+)</a>', crumbs.partition("</div>")[0])
    assert steps == [
        (reverse("admin:index"), "首页"),
        ("/admin/orders/", "订单管理"),
        (f"{LIST}?state__exact=held", "订单列表"),
    ]


def test_other_rows_lead_back_to_their_filter_too(admin_client):
    record = make.BillingRecordFactory()
    address = reverse("admin:orders_billingrecord_change", args=[record.pk])
    text = admin_client.get(address, {"_changelist_filters": "state__exact=live"}).content.decode()
    assert f'href="{reverse("admin:orders_billingrecord_changelist")}?state__exact=live"' in text
