"""A view whose filter has a choice that is gone, or that its reader may not see: it is empty, and a line says why."""

import pytest

from tests import factories as make
from tests.office.test_views import BUSINESS, ORDERS, lines, tabs

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "query, title",
    [
        ("attribution__letters__exact=ZZ", "归属"),
        ("attribution__letters__exact=SH", "归属"),
        ("service_type__code__exact=9", "业务类型"),
        ("state__exact=gone", "状态"),
    ],
)
def test_a_view_of_a_choice_that_is_gone_or_a_colleague_s_says_why_it_is_empty(member, query, title):
    staff = member(BUSINESS, letters=["BJ"])
    make.OrderFactory(attribution_id="BJ")
    make.OrderFactory(attribution_id="SH")
    view = make.SavedViewFactory(owner=staff.person, query=query)
    answer = staff.get(ORDERS + tabs(staff.get(ORDERS))[view.name])
    assert answer.context["cl"].result_count == 0
    assert lines(answer) == [f"以下筛选条件的取值不存在，或不在您的归属范围内，因此没有符合的记录：{title}"]


@pytest.mark.parametrize(
    "query",
    [
        "attribution__letters__exact=BJ",
        "attribution__isnull=True",
        "first__exact=1",
        "held_because__exact=",
        "customer=x",
        "incident=1",
        "start=starting",
    ],
)
def test_a_choice_that_is_offered_needs_no_line(member, query):
    staff = member(BUSINESS, letters=["BJ"])
    answer = staff.get(f"{ORDERS}?{query}")
    assert (answer.status_code, lines(answer)) == (200, [])
