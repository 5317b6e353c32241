"""A leave is entered by the person or by an administrator. The deputy is told, and what is open may be handed over
(contract 5).
"""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications.models import Mail
from orders.models import OrderEvent
from project.models import User
from tests import factories as make
from tests.admin.walking import colleague, said

pytestmark = pytest.mark.django_db
OWN = "/admin/leave/"


def day(ahead):
    return f"{timezone.localdate() + datetime.timedelta(days=ahead):%Y-%m-%d}"


def enter(client, address=OWN, first=0, last=5, deputy=None):
    data = {"act": "enter", "first": day(first), "last": day(last), "deputy": deputy.pk if deputy else "0"}
    return client.post(address, data, follow=True)


def owned(user, *letters):
    return [make.OrderFactory(attribution_id=one, state="failed", owner=user) for one in letters]


def test_one_enters_it_and_the_deputy_is_told_and_sees_what_is_open(member, client):
    """The deputy gets a mail and sees on the dashboard what is open. The subject of the mail contains no name that
    somebody typed.
    """
    deputy, staff = colleague("li", "李娜", letters=["BJ"]), member("业务人员")
    User.objects.filter(pk=staff.person.pk).update(display_name="请点击链接")
    here, there = owned(staff.person, "BJ", "SH")
    answer = enter(staff, deputy=deputy)
    assert there.number in said(answer)
    assert here.number not in said(answer)
    assert "代理人 李娜" in answer.text
    notice = Mail.objects.to_staff().get()
    assert (notice.kind, notice.recipients) == ("notice_deputy", ["li@x.cn"])
    assert ("请点击" in notice.subject, "请点击" in notice.body) == (False, True)
    assert OrderEvent.objects.get(kind="leave_entered").data["deputy"] == "li"
    client.force_login(deputy)
    page = client.get(reverse("admin:index")).text
    assert here.number in page
    assert there.number not in page


@pytest.mark.parametrize(
    "more, field",
    [
        ({"first": 3, "last": 1}, "最后一天"),
        ({"first": -9, "last": -2}, "已经过去"),
        ({"who": "self"}, "deputy"),
        ({"who": "away"}, "也在离岗"),
        ({"who": "gone"}, "deputy"),
        ({"who": "reader"}, "deputy"),
    ],
)
def test_what_is_no_leave_is_refused(member, more, field):
    staff, who = member("业务人员"), more.pop("who", None)
    people = {
        "self": staff.person,
        "away": colleague("wang", "王敏", away_until=day(2)),
        "gone": colleague("gone", is_active=False),
        "reader": colleague("reader", role="审计员"),
    }
    answer = enter(staff, deputy=people.get(who), **more)
    errors = answer.context["leave"].errors
    assert field in errors or field in str(errors)
    staff.person.refresh_from_db()
    assert staff.person.away_until is None


def test_what_a_deputy_will_not_see_is_said(member):
    """The page warns if the deputy may not see the person's attributions, even if nothing is open yet. Otherwise
    nobody would handle what comes from there during the leave.
    """
    deputy = colleague("li", "李娜", letters=["SH"])
    assert "李娜 只能查看以下归属：上海" in said(enter(member("业务人员", letters=["BJ"]), deputy=deputy))
    assert "只能查看" not in said(enter(member("业务人员", letters=["SH"]), deputy=deputy))


def test_who_sees_no_order_is_neither_offered_as_deputy_nor_to_hand_over_to(member):
    blind, staff = colleague("blind", "黄海", letters=[]), member("业务人员")
    owned(staff.person, "BJ")
    assert "黄海" not in staff.get(OWN).text
    assert "deputy" in enter(staff, deputy=blind).context["leave"].errors
    assert "to" in staff.post(OWN, {"act": "all", "all-to": blind.pk}).context["over"].errors


def test_a_leave_that_has_not_begun_says_its_days(member):
    """The page shows the days of a leave that has not begun. A name alone, beside a button that ends something, would
    not be clear.
    """
    staff = member("业务人员")
    answer = enter(staff, first=1, deputy=colleague("li", "李娜"))
    text = " ".join(answer.text.split())
    assert f"自 {day(1)} 起：" in text
    assert f"离岗至 {day(5)[5:]}，代理人 李娜" in text
    assert "自 " not in " ".join(enter(staff, first=0).text.split()).partition("<strong>")[2].partition("</strong>")[0]


def test_it_ends(member):
    staff = member("业务人员")
    enter(staff)
    staff.post(OWN, {"act": "end"})
    staff.person.refresh_from_db()
    assert (staff.person.away_until, OrderEvent.objects.filter(kind="leave_ended").count()) == (None, 1)


def test_an_administrator_enters_it_for_a_colleague_and_others_do_not(member):
    wang = colleague("wang", "王敏")
    address = reverse("admin:project_user_leave", args=[wang.pk])
    assert enter(member("业务人员"), address).status_code == 403
    manager = member("管理员")
    enter(manager, address, first=1)
    assert "王敏" in manager.get(reverse("admin:project_user_change", args=[wang.pk])).text
    assert User.objects.get(pk=wang.pk).away_from == timezone.localdate() + datetime.timedelta(days=1)


@pytest.mark.parametrize("act", ["enter", "all"])
def test_nobody_reads_there_of_orders_of_a_province_that_was_taken_away(member, act):
    li, staff = colleague("li", "李娜", letters=["TJ"]), member("业务人员", letters=["BJ"])
    here, there = owned(staff.person, "BJ", "SH")
    data = {"act": act, "first": day(0), "last": day(5), "deputy": li.pk, "all-to": li.pk}
    told = said(staff.post(OWN, data, follow=True))
    assert here.number in told
    assert there.number not in told
    assert "(+1)" in told


def test_who_leaves_for_good_hands_all_over(member):
    wang, staff = colleague("wang", "王敏", letters=["BJ"]), member("业务人员")
    here, there = owned(staff.person, "BJ", "SH")
    assert "2" in staff.get(OWN).text
    answer = staff.post(OWN, {"act": "all", "all-to": wang.pk}, follow=True)
    assert there.number in said(answer)
    for order in (here, there):
        order.refresh_from_db()
    assert (here.owner, there.owner) == (wang, None)
    assert staff.post(OWN, {"act": "all", "all-to": staff.person.pk}).status_code == 409
    assert staff.post(OWN, {"act": "zzz"}).status_code == 409
