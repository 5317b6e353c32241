"""The number of rows of each view is counted in a request of its own, up to a limit, and cached for a while."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from orders.office.saved_views import tabs as view_tabs
from tests import factories as make
from tests.admin.test_query_counts import queries
from tests.office.scheduling import colleague
from tests.office.test_views import BUSINESS, ORDERS, VIEWS, uncounted  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db


def test_counts_end_at_a_limit_and_are_kept_for_a_while(monkeypatch, staff):
    monkeypatch.setattr(view_tabs, "MAX_COUNTED", 2)
    view = make.SavedViewFactory(owner=staff.person)
    make.OrderFactory.create_batch(2, state="failed")
    counts = f"{VIEWS}counts/orders/"
    with CaptureQueriesContext(connection) as captured:
        assert staff.get(counts).json()[str(view.pk)] == "2"
    writes = [query["sql"] for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert writes == []  # on SQLite a transaction that writes would make incoming orders wait
    make.OrderFactory(state="failed")
    assert staff.get(counts).json()[str(view.pk)] == "2"
    page = staff.get(ORDERS)
    assert [one.count for one in page.context["views"]["tabs"] if one.tab.key == str(view.pk)] == ["2"]
    assert not page.context["views"]["uncounted"]
    cache.clear()
    assert staff.get(counts).json()[str(view.pk)] == "2+"
    assert "data-counts" not in staff.get(ORDERS).content.decode()
    cache.clear()
    assert f'data-counts="{counts}"' in staff.get(ORDERS).content.decode()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("orders", "incident=99999999999999999999"),
        ("attempts", "dispatch=99999999999999999999"),
        ("differences", "reconciliation=99999999999999999999"),
    ],
)
def test_a_view_with_a_number_that_no_column_can_hold_keeps_the_others_counts(name, query, staff):
    odd = make.SavedViewFactory(owner=staff.person, list_name=name, query=query)
    fine = make.SavedViewFactory(owner=staff.person, list_name=name, query="")
    counts = staff.get(f"{VIEWS}counts/{name}/").json()
    assert counts[str(odd.pk)] in {"", "0"}
    assert counts[str(fine.pk)] == "0"


def test_many_views_make_the_list_no_slower(staff):
    """However many views there are, the list reads them in one query and counts nothing."""
    make.SavedViewFactory(owner=staff.person)
    queries(staff, ORDERS)
    few = queries(staff, ORDERS)
    role = Group.objects.get(name=BUSINESS)
    for _ in range(10):
        make.SavedViewFactory(owner=staff.person)
        make.SavedViewFactory(owner=colleague(), role=role)
    assert queries(staff, ORDERS) == few


def test_a_view_that_takes_too_long_has_no_count(monkeypatch, staff):
    slow = make.SavedViewFactory(owner=staff.person)
    quick = make.SavedViewFactory(owner=staff.person, query="state__exact=held")
    unread = view_tabs.unread_list

    def ended(model_admin, conditions, user):
        if conditions[0].value == "failed":
            raise OperationalError("canceling statement due to statement timeout")
        return unread(model_admin, conditions, user)

    monkeypatch.setattr(view_tabs, "unread_list", ended)
    counts = staff.get(f"{VIEWS}counts/orders/").json()
    assert (counts[str(slow.pk)], counts[str(quick.pk)]) == ("", "0")
    monkeypatch.setattr(view_tabs, "SECONDS_OF_ALL", -1)
    cache.clear()
    assert staff.get(f"{VIEWS}counts/orders/").json() == {}


def test_a_few_tabs_are_drawn_and_counted_and_the_rest_are_behind_a_word(staff):
    role = Group.objects.get(name=BUSINESS)
    for number in range(30):
        make.SavedViewFactory(owner=colleague(), role=role, name=f"shared {number}", query=f"q={number}")
    last = make.SavedViewFactory(owner=colleague(), role=role, name="last", query="q=last")
    assert len(staff.get(f"{VIEWS}counts/orders/").json()) == view_tabs.MAX_DRAWN
    page = staff.get(ORDERS)
    views = page.context["views"]
    assert len(views["tabs"]) == view_tabs.MAX_DRAWN
    assert not views["uncounted"]
    assert views["more"][-1].tab.name == "last"
    text = page.content.decode()
    assert f'<li><a href="?q=last&amp;view={last.pk}"' in text
    opened = staff.get(ORDERS, {"q": "last", "view": last.pk}).context["views"]
    assert [one.tab.name for one in opened["tabs"] if one.active] == ["last"]


def test_counts_are_those_of_the_rows_that_the_person_may_see_now(staff):
    make.OrderFactory.create_batch(3, state="failed", attribution_id="GD")
    assert staff.get(f"{VIEWS}counts/orders/").json()["needs"] == "3"
    staff.person.limited = True
    staff.person.save()
    staff.person.attributions.set(["BJ"])
    staff.force_login(staff.person)  # the session ended when the person lost the right
    shown = {one.tab.key: one.count for one in staff.get(ORDERS).context["views"]["tabs"]}
    assert shown["needs"] == ""
    assert staff.get(f"{VIEWS}counts/orders/").json()["needs"] == "0"


def test_an_owner_may_always_stop_sharing_and_sees_with_whom(staff):
    view = make.SavedViewFactory(owner=staff.person, role=Group.objects.get(name=BUSINESS))
    other = Group.objects.create(name="others")
    staff.person.groups.set([other])
    staff.person.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "view_savedview"]))
    staff.force_login(staff.person)  # the session ended when the person lost the right
    text = staff.get(f"{VIEWS}{view.pk}/change/").content.decode()
    assert f'<option value="{view.role_id}" selected>' in text
    assert f'<option value="{other.pk}"' not in text
    assert staff.post(f"{VIEWS}{view.pk}/share/", {"role": other.pk}).status_code == 403
    staff.post(f"{VIEWS}{view.pk}/share/", {"role": ""})
    assert make.fresh(view).role is None
