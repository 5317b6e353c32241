"""Every list can be filtered by a range of days: in the address, and by two inputs in the filter's menu. A wrong range
is explained in a line.
"""

import datetime

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from orders.lists.filter_kinds import DayFilter
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.office.exports.models import Export
from orders.rules.local_time import midnight
from tests import factories as make
from tests.admin.rows import of_order
from tests.admin.test_lists import numbers
from tests.admin.walking import unrendered
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
ORDERS = "/admin/orders/order/"


def received(day: str):
    at = midnight(datetime.date.fromisoformat(day)) + datetime.timedelta(hours=23, minutes=59)
    return make.OrderFactory(number=day, received_at=at)


@pytest.mark.parametrize(
    "value, found",
    [
        ("2026-11-02..2026-11-03", {"2026-11-02", "2026-11-03"}),
        ("2026-11-03..2026-11-03", {"2026-11-03"}),
        ("2026-11-03", {"2026-11-03"}),
        ("2026-11-03..", {"2026-11-03", "2026-11-04"}),
        ("..2026-11-02", {"2026-11-01", "2026-11-02"}),
        ("2026-12-01..", set()),
    ],
)
def test_both_days_are_in_a_range_and_either_may_be_missing(admin_user, value, found):
    for day in range(1, 5):
        received(f"2026-11-0{day}")
    assert numbers(admin_user, received=value) == found


def test_ranges_of_days_without_a_time(admin_user):
    for day in (1, 2, 3):
        make.OrderFactory(number=str(day), biz_start=datetime.date(2026, 11, day))
    assert numbers(admin_user, start="2026-11-02..") == {"2", "3"}
    assert numbers(admin_user, start="..2026-11-02") == {"1", "2"}


@pytest.mark.parametrize(
    "today, word, first, last",
    [
        ("2026-11-27", "month", "2026-11-01", "2026-11-30"),
        ("2026-12-31", "month", "2026-12-01", "2026-12-31"),
        ("2026-03-31", "last_month", "2026-02-01", "2026-02-28"),
        ("2026-01-01", "last_month", "2025-12-01", "2025-12-31"),
    ],
)
def test_months(admin_user, monkeypatch, today, word, first, last):
    monkeypatch.setattr(timezone, "localdate", lambda *_: datetime.date.fromisoformat(today))
    day = datetime.timedelta(days=1)
    outside = [datetime.date.fromisoformat(first) - day, datetime.date.fromisoformat(last) + day]
    for one in (first, last, *map(str, outside)):
        received(one)
    assert numbers(admin_user, received=word) == {first, last}


@pytest.mark.parametrize("today, found", [("2026-11-25", {"25", "29"}), ("2026-11-29", {"29"}), ("2026-11-30", {"30"})])
def test_this_week_is_from_today_until_sunday(admin_user, monkeypatch, today, found):
    monkeypatch.setattr(timezone, "localdate", lambda *_: datetime.date.fromisoformat(today))
    for day in (24, 25, 29, 30):
        make.TrialFactory(number=str(day), biz_end=datetime.date(2026, 11, day))
    assert numbers(admin_user, end="week") == found


WRONG = [
    "soon",
    "2026-13-01",
    "2026-11-01..x",
    "..",
    "2026-11-01..2026-11-02..2026-11-03",
    "a\0b",
    "9" * 5000,
    "9999-12-31",
    "0001-01-01",
    "0001-01-01..9999-12-31",
]


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_range_is_left_out_with_a_line_that_says_what_is_right(admin_client, value):
    make.OrderFactory(number="kept", state="active")
    answer = admin_client.get(ORDERS, {"received": value, "state__exact": "active"}, follow=True)
    assert answer.redirect_chain == [(f"{ORDERS}?state__exact=active", 302)]
    assert [row.number for row in answer.context["cl"].result_list] == ["kept"]
    [line] = map(str, get_messages(answer.wsgi_request))
    assert "2026-11-01..2026-11-25" in line
    assert "\0" not in line
    assert len(line) < 200


def test_a_reversed_range_says_so(admin_client):
    answer = admin_client.get(ORDERS, {"received": "2026-11-25..2026-11-01"}, follow=True)
    [line] = map(str, get_messages(answer.wsgi_request))
    assert line == "接收时间：2026-11-25 在 2026-11-01 之后，中间没有任何一天。"


@pytest.mark.parametrize(
    "days, address",
    [
        (["2026-11-01", "2026-11-25"], "?received=2026-11-01..2026-11-25&state__exact=active"),
        (["2026-11-01", ""], "?received=2026-11-01..&state__exact=active"),
        (["", "2026-11-25"], "?received=..2026-11-25&state__exact=active"),
        (["2026-11-25", "2026-11-25"], "?received=2026-11-25&state__exact=active"),
        (["", ""], "?state__exact=active"),
        ([""], "?state__exact=active"),
    ],
)
def test_the_two_inputs_become_one_value(admin_client, days, address):
    answer = admin_client.get(ORDERS, {"received": days, "state__exact": "active"})
    assert (answer.status_code, answer["Location"]) == (302, ORDERS + address)


def test_the_menu_has_the_two_inputs_and_keeps_the_rest(admin_client):
    received("2026-11-02")
    text = admin_client.get(ORDERS, {"received": "2026-11-01..", "kind__exact": "activation"}).content.decode()
    form = next(
        part for part in text.split('<form method="get" class="days">') if 'type="date" name="received"' in part
    )
    assert '<input type="hidden" name="kind__exact" value="activation">' in form
    assert '<input type="hidden" name="received"' not in form
    assert '<input type="date" name="received" value="2026-11-01">' in form
    assert "从 2026-11-01 起" in text


def days_of(model_admin):
    return [entry for entry in model_admin.list_filter if isinstance(entry, type) and issubclass(entry, DayFilter)]


def test_every_exported_list_has_a_range_on_its_time(admin_user):
    of_order(make.OrderFactory(attribution_id="BJ"))
    for name in exported_lists().keys() - {"bulk"} if WHOLE else ["orders"]:  # the rows of a bulk run have no time
        url, found = address_of_list(admin_of(name).model), days_of(admin_of(name))
        assert found, name
        for entry in found:
            assert unrendered(admin_user, url, {entry.parameter_name: "2000-01-01.."}).status_code == 200
            none = unrendered(admin_user, url, {entry.parameter_name: "..2000-01-01"})
            assert none.context_data["cl"].result_count == 0, (name, entry)


@pytest.mark.whole
def test_every_range_of_every_list_answers(admin_user):
    for model, own in admin.site._registry.items():
        for entry in days_of(own):
            for value in ("2026-11-01..2026-11-25", "2026-11-01..", "..2026-11-25", *entry.words):
                query = {entry.parameter_name: value}
                assert unrendered(admin_user, address_of_list(model), query).status_code == 200


def test_a_limited_person_s_customers_are_told_by_the_orders_they_may_see(member):
    staff = member("业务人员", letters=["BJ"])
    at = timezone.now()
    mine = make.OrderFactory(attribution_id="BJ", enterprise_id="E1", received_at=at - datetime.timedelta(days=20))
    row = make.CustomerFactory(enterprise_id="E1", last_order=mine)
    other = make.OrderFactory(attribution_id="SH", enterprise_id="E1", received_at=at)
    row.attributions.set(["BJ", "SH"])
    type(row).objects.update(last_order=other, last_seen=at)
    url = reverse("admin:orders_customer_changelist")
    for newest, number in (("today", 0), ("30d", 1)):
        assert unrendered(staff.person, url, {"newest": newest}).context_data["cl"].result_count == number


def test_an_export_takes_a_range(tmp_path, admin_client):
    for day in (1, 2, 3):
        received(f"2026-11-0{day}")
    call_command("export", "orders", str(tmp_path / "o.csv"), "--query", "received=2026-11-02..")
    text = (tmp_path / "o.csv").read_text(encoding="utf-8")
    assert [day for day in (1, 2, 3) if f"2026-11-0{day}" in text] == [2, 3]
    assert Export.objects.get().query == "received=2026-11-02.."
    page = admin_client.get("/admin/orders/export/new/orders/", {"received": "2026-11-02.."})
    assert page.context["count"] == 2
