"""What a customer is billed now: the number of all records, and the records in pages."""

import datetime
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import BillingRecord
from orders.queries.order_status import iso_time
from tests import factories as make
from tests.admin.orders import unbilled
from tests.admin.test_query_counts import queries
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
CUSTOMER = "100A23100079275183"
BILLING = f"/api/customers/{CUSTOMER}/billing/"
MANY = 20_000 if WHOLE else 500  # records of an order
MOST_QUERIES = 10


def live(order, number=1, **fields):
    """Makes live records of an order."""
    return [make.BillingRecordFactory(order=order, state="live", create_time=make.NOW, **fields) for _ in range(number)]


def test_it_tells_since_when_which_domains_and_which_product(system):
    order = make.OrderFactory(state="active")
    (row,) = live(order, domain="a.example.com")
    make.BillingRecordFactory(order=order, state="cancelled")
    told = system().get(BILLING).json()
    assert told["customer"] == {"id": CUSTOMER, "name": "北京示例科技有限公司"}
    assert told["billed"] == [
        {
            "info_type": "2",
            "label": "商用话单",
            "records": 1,
            "since": "2023-09-20T18:54:36+08:00",
            "later": 0,
            "begins": None,
        }
    ]
    (shown,) = told["results"]
    facts = {name: shown[name] for name in ("order", "domain", "product_id", "state", "since")}
    assert facts == {
        "order": order.number,
        "domain": "a.example.com",
        "product_id": row.product_id,
        "state": "live",
        "since": "2023-09-20T18:54:36+08:00",
    }
    assert (shown["theirs"]["differs"], told["next"]) == (False, None)


def test_it_counts_apart_what_begins_later_and_leaves_out_what_ran_out(system):
    order, day = make.OrderFactory(state="scheduled"), datetime.timedelta(days=1)
    begins = timezone.now() + day
    make.BillingRecordFactory(order=order, state="live", domain="later.example.com", create_time=begins)
    make.BillingRecordFactory(
        order=order, state="live", domain="over.example.com", create_time=make.NOW, cancel_time=timezone.now() - day
    )
    told = system().get(BILLING).json()
    (counted,) = told["billed"]
    facts = (counted["records"], counted["since"], counted["later"], counted["begins"])
    assert facts == (0, None, 1, iso_time(begins))
    assert [row["domain"] for row in told["results"]] == ["later.example.com"]


def test_where_the_partner_s_books_differ_it_says_so(system):
    unbilled()
    shown = system().get(BILLING).json()["results"]
    assert [row["theirs"]["differs"] for row in shown] == [True]


def test_a_customer_with_many_domains_comes_page_by_page(system):
    order = make.OrderFactory(state="active")
    about = {"order": order, "state": "live", "create_time": make.NOW}
    BillingRecord.objects.bulk_create(
        make.BillingRecordFactory.build(domain=f"d{n}.example.com", **about) for n in range(MANY)
    )
    caller = system()
    answer = caller.get(BILLING, limit=200)
    assert answer.json()["billed"][0]["records"] == MANY
    seen = [row["domain"] for row in answer.json()["results"]]
    assert len(seen) == 200
    with CaptureQueriesContext(connection) as captured:
        answer = caller.client.get(answer.json()["next"], headers=caller.headers)
    assert answer.json()["billed"] is None
    assert not [row["sql"] for row in captured if "COUNT(" in row["sql"]]
    seen += [row["domain"] for row in answer.json()["results"]]
    assert seen == [f"d{n}.example.com" for n in range(400)]


def test_pages_go_through_all_orders_while_new_ones_come(system):
    orders = [make.OrderFactory() for _ in range(3)]
    wanted = [(order.number, row.domain) for order in orders for row in live(order, 3)]
    caller, found = system(), []
    following = BILLING + "?limit=2"
    while following:
        told = caller.client.get(following, headers=caller.headers).json()
        found += [(row["order"], row["domain"]) for row in told["results"]]
        following = told["next"]
        if len(found) == 2:
            wanted += [(order.number, row.domain) for order in [make.OrderFactory()] for row in live(order)]
    assert found == wanted


def test_it_keeps_to_the_scope(system):
    for letters in ("BJ", "SH"):
        live(make.OrderFactory(attribution_id=letters))
    assert system().get(BILLING).json()["billed"][0]["records"] == 2
    told = system(letters=["BJ"]).get(BILLING).json()
    assert (told["billed"][0]["records"], len(told["results"])) == (1, 1)
    hidden = system(letters=["GD"]).get(BILLING)
    assert (hidden.status_code, hidden.content) == (404, system().get("/api/customers/none/billing/").content)


def test_a_customer_without_a_record_is_billed_nothing(system):
    make.OrderFactory()
    told = system().get(BILLING).json()
    assert (told["billed"], told["results"], told["next"]) == ([], [], None)


@pytest.mark.parametrize(
    "query, field",
    [
        ({"cursor": "5"}, "cursor"),
        ({"cursor": "1-2-3"}, "cursor"),
        ({"limit": "x"}, "limit"),
        ({"state": "live"}, "state"),
    ],
)
def test_what_is_wrong_is_named(system, query, field):
    make.OrderFactory()
    answer = system().get(BILLING, **query)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("number", ["%00", "%ff", "x" * 3000, "'%22%25", "%20"])
def test_rubbish_for_a_customer_is_unknown(system, number):
    make.OrderFactory(enterprise_id="")
    assert system().get(f"/api/customers/{number}/billing/").status_code == 404


@pytest.mark.parametrize("number", ["A%2FB%201", "%2F", "a%3Fb", "a%23b"])
def test_any_enterprise_id_can_be_asked_for(system, number):
    live(make.OrderFactory(enterprise_id=unquote(number)))
    told = system().get(f"/api/customers/{number}/billing/").json()
    assert (told["customer"]["id"], told["billed"][0]["records"]) == (unquote(number), 1)


def test_an_etag_changes_with_the_books(system):
    live(make.OrderFactory())
    assert system().told_anew(BILLING, lambda: BillingRecord.objects.update(state="unknown")).status_code == 200


def test_it_asks_the_same_however_many_there_are(system):
    caller = system(letters=["BJ"])
    live(make.OrderFactory())
    queries(caller, BILLING)
    few = queries(caller, BILLING)
    for _ in range(10):
        live(make.OrderFactory(), 3)
    assert queries(caller, BILLING) == few <= MOST_QUERIES
