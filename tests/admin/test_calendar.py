"""The working-day calendar, which administrators keep."""

import datetime

import pytest
from django.urls import reverse

from orders.models import CalendarDay
from orders.queries.overtime import working_days
from tests import factories as make

pytestmark = pytest.mark.django_db
ADD = reverse("admin:orders_calendarday_add")


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
