"""Late orders are marked, found and counted by the time limits."""

import datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.db.indexes import STATES_WITH_LIMIT
from orders.models import Order, TimeLimit
from orders.rules.local_time import SHANGHAI
from tests import factories as make
from tests.admin.walking import desk_of, unrendered

pytestmark = pytest.mark.django_db
ORDERS, CONFLICTS = reverse("admin:orders_order_changelist"), reverse("admin:orders_conflict_changelist")
LIMITS = reverse("admin:orders_timelimit_changelist")
S = Order.State
NOW = datetime.datetime(2026, 11, 25, 15, 0, tzinfo=SHANGHAI)  # a Wednesday
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def wednesday(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def order(number, state, since, **more):
    more |= {"held_because": Order.Held.FILES} if state == S.HELD else {}
    return make.OrderFactory(number=number, state=state, state_since=since, received_at=since, **more)


def rows_of(staff, url=ORDERS, **query):
    return unrendered(staff.person, url, query).context_data["cl"].result_list


def listed(staff, url=ORDERS, **query):
    return [getattr(row, "number", None) or row.order_number for row in rows_of(staff, url, **query)]


def marks(staff, *numbers):
    rows = {row.number: row for row in rows_of(staff)}
    return [rows[number].overtime and rows[number].overtime.tone.value for number in numbers]


def at(day, hour, minute=0):
    return datetime.datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


def test_what_may_have_a_limit_is_looked_at():
    assert {*STATES_WITH_LIMIT, TimeLimit.State.CONFLICT} == set(TimeLimit.State)


@pytest.mark.parametrize(
    "state, since, tone",
    [
        (S.IN_PROGRESS, at(25, 14, 1), None),
        (S.IN_PROGRESS, at(25, 14), "amber"),
        (S.IN_PROGRESS, at(25, 13), "red"),
        (S.HELD, at(24, 15, 1), None),
        (S.HELD, at(24, 15), "amber"),
        (S.HELD, at(23, 15), "red"),
        (S.AWAITING_APPROVAL, at(20, 15, 1), None),  # since a Friday: the weekend does not count
        (S.AWAITING_APPROVAL, at(20, 15), "amber"),
        (S.AWAITING_APPROVAL, at(17, 15), "red"),
        (S.SCHEDULED, at(1, 0), None),
        (S.FAILED, at(24, 15, 1), None),
        (S.FAILED, at(24, 15), "amber"),
        (S.FAILED, at(1, 0), "red"),
        (S.HELD, None, None),
    ],
)
def test_a_state_has_its_limit_and_twice_that_is_red(member, state, since, tone):
    row = order("A1", state, NOW)
    Order.objects.update(state_since=since)
    staff = member("业务人员")
    assert marks(staff, "A1") == [tone]
    assert listed(staff, overtime="yes") == (["A1"] if tone else [])
    assert listed(staff, overtime="very") == (["A1"] if tone == "red" else [])
    page = staff.get(reverse("admin:orders_order_change", args=[row.pk])).content.decode()
    assert (f'class="overtime overtime-{tone}"' in page) is (tone is not None)


def test_a_holiday_counts_for_nothing_once_it_is_entered(member):
    order("A1", S.HELD, at(24, 10))
    staff = member("业务人员")
    assert marks(staff, "A1") == ["amber"]
    make.CalendarDayFactory(day=datetime.date(2026, 11, 24))
    assert marks(staff, "A1") == [None]


def test_a_limit_for_a_province_comes_before_one_for_a_kind_and_the_general_one(member):
    order("BJ", S.HELD, at(23, 14))
    order("SH", S.HELD, at(23, 14), attribution_id="SH")
    order("none", S.HELD, at(23, 14), attribution_id=None)
    make.TrialFactory(number="trial", state=S.HELD, held_because=Order.Held.FILES, state_since=at(23, 14))
    TimeLimit.objects.create(state="held", attribution_id="SH", amount=3, unit="days")
    TimeLimit.objects.create(state="held", kind="trial", amount=40, unit="hours")
    staff = member("业务人员")
    assert marks(staff, "BJ", "SH", "none", "trial") == ["red", None, "red", "amber"]
    assert listed(staff, overtime="yes") == ["BJ", "none", "trial"]
    TimeLimit.objects.filter(state="held", attribution=None).delete()
    assert marks(staff, "BJ", "SH", "none", "trial") == [None] * 4
    assert listed(staff, overtime="yes") == []


def test_the_late_come_first_and_say_by_how_much(member):
    order("new", S.HELD, at(25, 14))
    order("old", S.AWAITING_APPROVAL, at(3, 9))
    order("late", S.IN_PROGRESS, at(25, 12, 30))
    staff = member("业务人员")
    assert listed(staff, overtime="yes") == ["old", "late"]
    text = staff.get(ORDERS, {"overtime": "yes"}).content.decode()
    assert ("严重超时 13 天" in text, "严重超时 1 小时" in text) == (True, True)


def test_of_very_many_late_ones_a_page_shows_the_first(member, django_assert_max_num_queries):
    """The page takes no more queries for very many late orders than for a few."""
    staff = member("业务人员")
    first = order("first", S.HELD, at(2, 9))
    values = {field.attname: getattr(first, field.attname) for field in Order._meta.concrete_fields}
    rows = [values | {"id": None, "number": f"COPY{n}", "state_since": at(3, 9)} for n in range(1000)]
    with CaptureQueriesContext(connection) as few:
        assert listed(staff, overtime="yes") == ["first"]
    Order.objects.bulk_create(Order(**row) for row in rows)
    # the four are for the length of the page and for its head, which `listed` does not render
    with django_assert_max_num_queries(len(few) + 4):
        found = staff.get(ORDERS, {"overtime": "yes"})
    assert found.context["cl"].result_count == 1001
    assert found.context["cl"].result_list[0].number == "first"
    assert len(found.context["cl"].result_list) <= 100


def test_conflicts_have_a_limit_too(member):
    for number, since in (("C1", at(23, 10)), ("C2", at(25, 10))):
        make.ConflictFactory(order_number=number, received_at=since)
    order("C3", S.ACTIVE, NOW, attribution_id="SH")
    make.ConflictFactory(order_number="C3", received_at=at(23, 9))
    staff = member("业务人员")
    assert listed(staff, CONFLICTS, overtime="yes") == ["C3", "C1"]
    TimeLimit.objects.create(state="conflict", attribution_id="SH", amount=5, unit="days")
    assert listed(staff, CONFLICTS, overtime="yes") == ["C1"]
    assert staff.get(CONFLICTS).content.decode().count('class="overtime') == 1


def test_the_dashboard_counts_them_by_province_one_click_away(member):
    for number, letters, since in (("B1", "BJ", at(24, 9)), ("B2", "BJ", at(3, 9)), ("S1", "SH", at(24, 9))):
        order(number, S.HELD, since, attribution_id=letters)
    make.ConflictFactory(order_number="B1", received_at=at(3, 9))
    staff = member("业务人员")
    found = desk_of(staff.person).over_time
    assert [(place.name, place.number, place.very) for place in found.places] == [("北京", 2, 1), ("上海", 1, 0)]
    assert [sorted(listed(staff, place.url)) for place in found.places] == [["B1", "B2"], ["S1"]]
    assert listed(staff, found.places[0].very_url) == ["B2"]
    assert found.conflicts.number == len(rows_of(staff, found.conflicts.url)) == 1
    own = desk_of(member("业务人员", letters=["SH"]).person).over_time
    assert ([place.name for place in own.places], own.conflicts.number) == (["上海"], 0)


def test_show_says_it(capsys):
    order("A1", S.HELD, at(23, 13))
    call_command("show", "A1")
    assert "late 严重超时 26 小时 far over time by 26 hours (limit: 1 working day)" in capsys.readouterr().out


def test_limits_are_edited_on_a_page_and_zero_is_refused_with_a_clear_line(member):
    staff = member("管理员")
    limit = TimeLimit.objects.get(state="held")
    url = reverse("admin:orders_timelimit_change", args=[limit.pk])
    answer = staff.post(url, {"state": "held", "amount": "0", "unit": "days"})
    assert "时限至少为 1；不需要时限时请删除该行。" in answer.content.decode()
    add = {"state": "held", "amount": "2", "unit": "days"}
    answer = staff.post(reverse("admin:orders_timelimit_add"), add)
    assert "已有时限" in answer.content.decode()
    staff.post(reverse("admin:orders_timelimit_add"), add | {"attribution": "SH"})
    staff.post(url, {"state": "held", "amount": "30", "unit": "hours"})
    assert set(TimeLimit.objects.filter(state="held").values_list("attribution", "amount", "unit")) == {
        (None, 30, "hours"),
        ("SH", 2, "days"),
    }
    assert "30 个工作小时" in staff.get(LIMITS).content.decode()
