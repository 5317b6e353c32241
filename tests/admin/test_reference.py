"""Administrators keep the reference data and the working-day calendar. What applies to all attributions needs an
administrator without a limit.

tests/admin/test_walk.py checks who may do each act. This module checks the pages.
"""

import datetime

import pytest
from django.urls import reverse

from orders.limits.late_orders import working_days
from orders.models import CalendarDay, Province
from project.models import FailedLogin
from tests import factories as make

pytestmark = pytest.mark.django_db
ADD = reverse("admin:orders_calendarday_add")
SHANGHAI = reverse("admin:orders_province_change", args=["SH"])


def code_of(letters):
    return Province.objects.get(pk=letters).code


def test_a_limited_administrator_unlocks_nobody(member):
    row = FailedLogin.objects.create(username="li", ip_address="10.0.0.1", failures_since_start=9)
    url, form = reverse("admin:project_failedlogin_changelist"), {"action": "unlock", "_selected_action": row.pk}
    limited = member("管理员", letters=["BJ"])
    assert 'value="unlock"' not in limited.get(url).content.decode()
    limited.post(url, form)
    assert FailedLogin.objects.exists()
    member("管理员").post(url, form)
    assert not FailedLogin.objects.exists()


def test_a_new_code_asks_first_and_names_the_orders_that_follow(member):
    order = make.TrialFactory(attribution_id="SH")
    make.BillingRecordFactory(order=order, state="live")
    other = make.TrialFactory(attribution_id="BJ")
    boss, form = member("管理员"), {"code": "219", "name": "上海"}
    asked = boss.post(SHANGHAI, form)
    text = asked.content.decode()
    assert code_of("SH") == "210"
    assert order.number in text
    assert other.number not in text
    assert "210" in text
    confirmed = asked.context["adminform"].form["confirmed"].value()
    assert f'name="confirmed" value="{confirmed}"' in text
    asked_again = boss.post(
        SHANGHAI, form | {"code": "218", "confirmed": confirmed}
    )  # a code other than the confirmed one
    assert (asked_again.status_code, code_of("SH")) == (200, "210")
    assert boss.post(SHANGHAI, form | {"confirmed": confirmed}).status_code == 302
    assert code_of("SH") == "219"


def test_a_new_name_asks_nothing(member):
    assert member("管理员").post(SHANGHAI, {"code": "210", "name": "沪"}).status_code == 302
    assert Province.objects.get(pk="SH").name == "沪"


def test_letters_stay(member):
    """A province keeps its letters, because saving it under other letters would create a second province."""
    before = Province.objects.count()
    member("管理员").post(SHANGHAI, {"letters": "XX", "code": "210", "name": "上海"})
    assert Province.objects.count() == before


def test_a_holiday_of_several_days_is_entered_at_once(member):
    staff = member("管理员")
    answer = staff.post(ADD, {"day": "2026-10-01", "until": "2026-10-03", "name": "国庆节"}, follow=True)
    assert "已录入 3 天" in answer.content.decode()
    staff.post(ADD, {"day": "2026-10-10", "worked": "on", "name": "国庆节调休"})
    days = working_days()
    assert [days.is_working_day(datetime.date(2026, 10, day)) for day in (1, 2, 3, 4, 9, 10)] == [
        False, False, False, False, True, True
    ]  # fmt: skip
    listed = staff.get(reverse("admin:orders_calendarday_changelist")).content.decode()
    assert "周六" in listed


@pytest.mark.parametrize("until", ["2026-09-30", "2026-11-01", "2026-10-02"])
def test_a_wrong_last_day_enters_nothing(member, until):
    make.CalendarDayFactory(day=datetime.date(2026, 10, 2))
    answer = member("管理员").post(ADD, {"day": "2026-10-01", "until": until, "name": "国庆节"})
    assert answer.status_code == 200
    assert CalendarDay.objects.count() == 1


def test_a_day_can_be_taken_back(member):
    row = make.CalendarDayFactory()
    staff = member("管理员")
    staff.post(reverse("admin:orders_calendarday_change", args=[row.pk]), {"worked": "on", "name": "调休"})
    assert working_days().is_working_day(row.day)
    staff.post(reverse("admin:orders_calendarday_delete", args=[row.pk]), {"post": "yes"})
    assert not CalendarDay.objects.exists()
