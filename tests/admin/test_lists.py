"""The lists: exact search and search by prefix, filters as links, limited counts, and columns that give reasons."""

import datetime

import pytest
from django.contrib.admin.views import main
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from orders.db.indexes import PLAIN
from orders.lists import change_list, list_query
from orders.lists.registration import admin_of
from orders.models import Dispatch, Order
from orders.rules.trial_shape import Shape
from orders.trials.trial_state_writes import keep_shape
from tests import factories as make
from tests.admin.walking import desk_of, unrendered

pytestmark = pytest.mark.django_db
S = Order.State
ORDERS = "/admin/orders/order/"
DAY = datetime.timedelta(days=1)


def numbers(user, **query):
    """Returns the order numbers that the list shows."""
    answer = unrendered(user, ORDERS, query)
    assert answer.status_code == 200, answer
    return {order.number for order in answer.context_data["cl"].result_list}


@pytest.fixture
def two():
    """Makes the order to find, and one that must not be found."""
    order = make.OrderFactory(
        number="100A777",
        trial_number="100T888",
        product_id="6100999",
        enterprise_id="E-55",
        enterprise_name="云帆网络科技",
    )
    make.OrderDomainFactory(order=order, name="Pull.Site.example.com")
    make.OrderFactory(number="200B", trial_number="", product_id="5", enterprise_id="F", enterprise_name="启明信息")
    return order


@pytest.mark.parametrize("term", [
    "100A777", "100A7", "100T888", "100T", "6100999", "6100", "E-55", "E-5", "云帆网络科技", "云帆", "云",
    "网络科技", "帆网", "pull.site.example.com", "PULL.site", " 100A777 ",
])  # fmt: skip
def test_search_finds_by_the_whole_and_by_the_beginning(admin_user, two, term):
    assert numbers(admin_user, q=term) == {"100A777"}


@pytest.mark.parametrize("name", ["www.Bücher.example", "www.xn--bcher-kva.example"])
@pytest.mark.parametrize("term", ["www.bücher.example", "WWW.BÜCHER.", "www.XN--bcher-kva.exa"])
def test_search_finds_a_domain_by_both_forms(admin_user, name, term):
    order = make.OrderDomainFactory(name=name).order
    record = make.BillingRecordFactory(order=order, domain=name)
    make.BillingRecordFactory()
    assert numbers(admin_user, q=term) == {order.number}
    answer = unrendered(admin_user, reverse("admin:orders_billingrecord_changelist"), {"q": term})
    assert list(answer.context_data["cl"].result_list) == [record]


@pytest.mark.parametrize("term", ["0A777", "888", "example.com", "%", "_", "100_777", "nothing"])
def test_search_finds_no_middles_and_no_wildcards(admin_user, two, term):
    assert numbers(admin_user, q=term) == set()


def test_many_domains_with_one_beginning(admin_user):
    for place in range(5):
        make.OrderDomainFactory(name=f"cdn{place}.example.com")
    assert len(numbers(admin_user, q="cdn")) == 5


@pytest.mark.parametrize(
    "query, found",
    [
        ({"needs": "somebody"}, {"held", "failed"}),
        ({"state__exact": "active"}, {"live"}),
        ({"held_because__exact": "files"}, {"held"}),
        ({"stuck": "bpm"}, {"failed"}),
        ({"kind__exact": "trial"}, {"trial"}),
        ({"attribution__letters__exact": "SH"}, {"live"}),
        ({"service_type__code__exact": "4"}, {"trial"}),
        ({"start": "overdue"}, {"failed"}),
        ({"start": "tomorrow"}, {"held"}),
        ({"received": "today", "kind__exact": "activation"}, {"held", "live"}),
        ({"needs": "somebody", "q": "held"}, {"held"}),
    ],
)
def test_filters_live_in_the_address(admin_user, query, found):
    now, today = timezone.now(), timezone.localdate()
    make.OrderFactory(number="held", state=S.HELD, held_because="files", received_at=now, biz_start=today + DAY)
    failed = make.OrderFactory(number="failed", state=S.FAILED, received_at=now - 9 * DAY, biz_start=today - DAY)
    make.DispatchFactory(order=failed, channel="bpm", state=Dispatch.State.FAILED)
    make.OrderFactory(number="live", state=S.ACTIVE, attribution_id="SH", received_at=now, biz_start=today)
    make.TrialFactory(number="trial", service_type_id="4", received_at=now, biz_start=today)
    assert numbers(admin_user, **query) == found


def test_the_filter_of_what_orders_are_stuck_at_goes_by_the_column(admin_user):
    """The filter agrees with the column. An order that was undone because BPM refused it shows BPM there. A withdrawn
    order shows nothing.
    """
    now = timezone.now()
    undone = make.OrderFactory(number="undone", state=S.FAILED, undo_since=now)
    withdrawn = make.OrderFactory(number="withdrawn", state=S.WITHDRAWN, undo_since=now)
    for order in (undone, withdrawn):
        make.BpmDispatchFactory(order=order, state=Dispatch.State.FAILED, next_try_at=None)
    assert numbers(admin_user, stuck="bpm") == {"undone"}
    assert numbers(admin_user, stuck="billing") == set()


def test_the_service_filter_goes_by_the_service_that_is_shown(admin_user):
    """The filter uses the service that the list shows, which a trial change may have changed."""
    moved = make.TrialFactory(number="moved", service_type_id="4")
    same = make.TrialFactory(number="same", service_type_id="4")
    make.OrderFactory(number="other", service_type_id="4")
    make.TrialFactory(number="back", service_type_id="1")
    make.OrderFactory(number="none", service_type_id=None)
    for trial, service in ((moved, "1"), (same, "4")):
        keep_shape(trial, Shape(service=service))
    for code in ("1", "4"):
        rows = unrendered(admin_user, ORDERS, {"service_type__code__exact": code}).context_data["cl"].result_list
        assert {row.service_now.pk for row in rows} == {code}
        assert {row.number for row in rows} == ({"moved", "back"} if code == "1" else {"same", "other"})
    assert numbers(admin_user, service_type__isnull="True") == {"none"}
    both = unrendered(admin_user, f"{ORDERS}?service_type__code__exact=1&service_type__code__exact=4")
    assert both.context_data["cl"].result_count == 4


@pytest.fixture
def waiting():
    """Overdue orders that wait for approval. The one that has waited longest has the latest start day, so it is the
    least overdue.
    """
    now, today = timezone.now(), timezone.localdate()
    for waited, late in ((0, 5), (2, 9), (40, 1), (7, 3)):
        make.OrderFactory(
            number=f"w{waited}",
            state=S.AWAITING_APPROVAL,
            state_since=now - waited * DAY - DAY / 2,
            biz_start=today - late * DAY,
            attribution_id="BJ",
        )
    make.OrderFactory(number="live", state=S.ACTIVE, state_since=now - 90 * DAY, biz_start=today - 90 * DAY)


@pytest.mark.parametrize(
    "query, found",
    [
        ({"state__exact": "awaiting_approval"}, ["w40", "w7", "w2", "w0"]),
        ({"state__exact": "awaiting_approval", "attribution__letters__exact": "BJ"}, ["w40", "w7", "w2", "w0"]),
        ({"start": "overdue"}, ["w2", "w0", "w7", "w40"]),
        ({"state__exact": "awaiting_approval", "o": "-since"}, ["w0", "w2", "w7", "w40"]),
        ({}, ["live", "w7", "w40", "w2", "w0"]),
    ],
)
def test_what_waits_comes_longest_first_with_its_days(admin_user, waiting, query, found):
    rows = unrendered(admin_user, ORDERS, query).context_data["cl"].result_list
    assert [row.number for row in rows] == found
    listed = admin_of("orders")
    days = {"w0": (0, 5), "w2": (2, 9), "w40": (40, 1), "w7": (7, 3), "live": (None, None)}
    assert {row.number: (listed.waited(row), listed.late(row)) for row in rows} == {name: days[name] for name in found}


def test_the_dashboard_leads_to_what_waits_longest_first(admin_user, waiting):
    desk = desk_of(admin_user)
    waited, late = ["w40", "w7", "w2", "w0"], ["w2", "w0", "w7", "w40"]
    for url, found in ((desk.approvals.url, waited), (desk.calendar.overdue_url, late)):
        assert [row.number for row in unrendered(admin_user, url).context_data["cl"].result_list] == found
    assert all("o=since" in one.url for one in desk.problems if "needs=" in one.url)


@pytest.mark.parametrize("query", [{"needs": "me"}, {"stuck": "x"}])
def test_a_filter_of_nonsense_leads_back_to_the_list(admin_client, query):
    answer = admin_client.get(ORDERS, query)
    assert (answer.status_code, answer["Location"]) == (302, ORDERS + "?e=1")


def test_search_keeps_the_filters(admin_client):
    make.OrderFactory(state=S.ACTIVE)
    text = admin_client.get(ORDERS, {"state__exact": "active"}).content.decode()
    assert '<input type="hidden" name="state__exact" value="active">' in text
    assert 'class="filter-set" href="?"' in text


def test_counting_stops(admin_client, monkeypatch):
    monkeypatch.setattr(change_list, "MAX_COUNTED", 3)
    monkeypatch.setattr("project.templatetags.desk.MAX_COUNTED", 3)
    for _ in range(7):
        make.OrderFactory()
    answer = admin_client.get(ORDERS)
    assert answer.context["cl"].result_count == 4
    assert "3" in answer.content.decode().split('class="count">')[1].split("<")[0]


def test_lists_of_every_app_count_so(admin_user):
    ours = ["orders_order", "orders_dispatch", "approvals_approvalrecord", "notifications_mail"]
    for model in (*ours, "integrations_heartbeat", "django_q_ormq", "project_user"):
        cl = unrendered(admin_user, reverse(f"admin:{model}_changelist")).context_data["cl"]
        assert isinstance(cl.paginator, change_list.CappedPaginator), model
        assert not cl.show_full_result_count, model


def test_the_list_tells_where_an_order_is_stuck(admin_client):
    order = make.OrderFactory(state=S.FAILED)
    step = Dispatch.Step
    make.DispatchFactory(
        order=order, step=step.FETCH_USAGE, channel="usage", state="failed", blocking=False, position=1
    )
    make.DispatchFactory(order=order, step=step.START_BPM, channel="bpm", state="failed", position=2)
    make.DispatchFactory(order=order, step=step.CREATE_BILLING, state="failed", position=3, superseded=True)
    shown = admin_client.get(ORDERS).context["cl"].result_list[0]
    assert shown.stuck_step.step == step.START_BPM


def test_a_full_page_of_orders_takes_thirteen_queries(admin_client, django_assert_max_num_queries):
    for place in range(50):
        order = make.OrderFactory(state=S.FAILED)
        make.DispatchFactory(order=order, state="failed", error_code="400", position=place)
    admin_client.get(ORDERS)
    with django_assert_max_num_queries(13):
        admin_client.get(ORDERS)


def test_empty_lists_say_so(admin_client):
    make.OrderFactory()
    assert 'class="nothing"' in admin_client.get(ORDERS, {"q": "none"}).content.decode()
    assert 'class="nothing"' not in admin_client.get(ORDERS).content.decode()


def test_approvals_filter_by_node_result_operator_and_time(admin_user):
    wanted = make.ApprovalRecordFactory(node_name="主管审批", operator="lisi", result="return", time=timezone.now())
    make.ApprovalRecordFactory(time=timezone.now() - 40 * DAY)
    url = reverse("admin:approvals_approvalrecord_changelist")
    for query in ({"node_name": "主管审批"}, {"operator": "lisi"}, {"result__exact": "return"}, {"time": "today"}):
        rows = unrendered(admin_user, url, query).context_data["cl"].result_list
        assert [row.pk for row in rows] == [wanted.pk], query


def test_the_lists_indexes_survived_all_migrations():
    """When a table changes, SQLite rebuilds it and loses the indexes that migrations created by SQL."""
    with connection.cursor() as cursor:
        tables = {table for table, _columns, _condition in PLAIN.values()}
        found = {name for table in tables for name in connection.introspection.get_constraints(cursor, table)}
    assert set(PLAIN) - found == set()


@pytest.mark.filterwarnings("error::django.core.paginator.UnorderedObjectListWarning")
def test_incidents_to_choose_from_stand_in_their_lists_order(admin_client):
    older, newer = make.IncidentFactory(), make.IncidentFactory()
    query = {"app_label": "orders", "model_name": "affectedorder", "field_name": "incident"}
    offered = admin_client.get(reverse("admin:autocomplete"), query).json()["results"]
    assert [row["id"] for row in offered] == [str(newer.pk), str(older.pk)]


@pytest.mark.parametrize("name", ["ALL_VAR", "ORDER_VAR", "PAGE_VAR", "SEARCH_VAR"])
def test_the_names_in_an_address_are_those_that_django_reads(name):
    assert getattr(list_query, name) == getattr(main, name)
