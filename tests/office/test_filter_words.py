"""A filter in words: how the pages of views, exports, schedules and bulk runs describe the list's address that they
store.
"""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from orders.lists.list_query import query_words, said_as
from orders.lists.registration import admin_of, exported_lists
from orders.office.exports.lists import ExportedList
from orders.office.saved_views.models import SavedView
from tests import factories as make
from tests.admin.test_query_counts import queries
from tests.office.scheduling import colleague, made, read

pytestmark = pytest.mark.django_db
VIEWS = reverse("admin:orders_savedview_changelist")
QUERY = "attribution__letters__exact=BJ&service_type__code__exact=03&start=2026-11-01..&state__exact=held"
PLACES = {"orders": "attribution__letters__exact"}


@pytest.fixture
def staff(member):
    return member("管理员", "审批主管")


def test_each_part_is_said_as_the_list_says_it():
    service = make.OrderFactory().service_type_id  # the service type 网页
    query = QUERY.replace("=03", f"={service}") + "&q=云帆&customer=E1&attribution__letters__exact=GD&o=1&columns=kind"
    assert query_words(admin_of("orders"), query) == [
        ("归属", "北京、广东"),
        ("业务类型", "网页"),
        ("业务开始日", "从 2026-11-01 起"),
        ("状态", "已挂起"),
        ("搜索", "云帆"),
        ("客户", "E1"),
    ]
    assert query_words(admin_of("orders"), "state=gone&else=1") == [("状态", "gone"), ("所属", "1")]
    assert query_words(admin_of("orders"), "attribution__isnull=True") == [("归属", "无")]


@pytest.mark.parametrize("name", exported_lists())
def test_every_filter_of_a_list_can_be_said(staff, name):
    """The words are made without knowing who reads them. A filter that offers each person other values shows the value
    as it is in the address.
    """
    for said in map(said_as, admin_of(name).list_filter):
        for query in (f"{said}=1", f"{said}__isnull=True", f"{said}="):
            words = query_words(admin_of(name), query)
            assert all(title and value for title, value in words), query
        assert staff.get(reverse("admin:orders_export_new", args=[name]), {said: "1"}).status_code in {200, 302}


@pytest.mark.parametrize("name", exported_lists())
def test_a_province_is_said_by_its_name(staff, name):
    query = f"{PLACES.get(name, 'attribution')}=BJ"
    view = make.SavedViewFactory(owner=staff.person, list_name=name, query=query)
    export = make.ExportFactory(by=f"staff:{staff.person.username}", list_name=name, query=query)
    schedule = made(staff, view=view)
    for page in (staff.get(VIEWS).content.decode(), *(read(staff, row) for row in (view, export, schedule))):
        assert "归属：北京" in page
        assert ">BJ" not in page
        assert "：BJ" not in page
    found = ExportedList(name, query, staff.person)
    assert ("筛选", "归属：北京") in found.notes_about("staff:x", personal=False)


def test_many_filters_look_up_names_together(staff):
    """The names of attributions, owners and roles are looked up together for all rows."""
    role = Group.objects.get(name="管理员")
    for _ in range(2):
        make.SavedViewFactory(owner=colleague(), role=role, list_name="orders", query=QUERY)
    assert "归属：北京" in staff.get(VIEWS).content.decode()
    few = queries(staff, VIEWS)
    for _ in range(20):
        make.SavedViewFactory(owner=colleague(), role=role, list_name="orders", query=QUERY)
    assert SavedView.objects.count() == 22
    assert queries(staff, VIEWS) == few
