"""The list of orders: it has the filters of the staff's list, its pages don't shift while orders arrive, and it has
ETags.
"""

import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.api.filters import ALL, FILTERS, PARAMETERS
from orders.lists.list_query import query_words, said_as
from orders.models import Order
from project.models import User
from tests import factories as make
from tests.admin.orders import failed, held_for_files, unbilled
from tests.admin.test_query_counts import queries
from tests.admin.test_rubbish import RAW, VALUES
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
ORDERS = "/api/orders/"
# token, attributions, choices of two filters, whether the index is behind, orders, marks; and the note of the token's
# use
MOST_QUERIES = 9


def numbers(answer):
    return [row["order"] for row in answer.json()["results"]]


def test_it_tells_what_the_order_is_in_the_words_of_the_pages(system, clock):
    order = make.OrderFactory(state="held", held_because="files")
    row = system().get(ORDERS).json()["results"][0]
    told = {"order": order.number, "kind": "activation", "state": "held", "held_because": "files", "attribution": "BJ"}
    assert row.items() >= (told | {"service": "1", "start": "2023-09-20"}).items()
    assert (row["kind_label"], row["state_label"], row["attribution_label"]) == ("开通单", "已挂起", "北京")
    assert row["customer"] == {"id": "100A23100079275183", "name": "北京示例科技有限公司"}
    assert row["received_at"] == "2023-09-20T18:54:36+08:00"
    assert row["url"] == f"http://testserver/api/orders/{order.number}/"
    assert "张三" not in json.dumps(row, ensure_ascii=False)


@pytest.mark.parametrize("noted, told", [(True, "2023-09-22T09:00:00+08:00"), (False, None)])
def test_it_tells_since_when_the_order_is_in_its_state(system, noted, told):
    order = failed()
    Order.objects.filter(pk=order.pk).update(state_since=shanghai("2023-09-22 09:00:00") if noted else None)
    caller = system()
    assert caller.get(ORDERS).json()["results"][0]["since"] == told
    assert caller.get(f"{ORDERS}{order.number}/").json()["since"] == told


def test_it_tells_whose_the_order_is(system):
    wang = make.UserFactory(username="wang", is_superuser=True)
    mine, free = (make.OrderFactory(state="failed") for _ in range(2))
    Order.objects.filter(pk=mine.pk).update(owner=wang)
    caller = system()
    assert {row["order"]: row["owner"] for row in caller.get(ORDERS).json()["results"]} == {
        mine.number: "wang",
        free.number: None,
    }
    assert caller.get(f"{ORDERS}{mine.number}/").json()["owner"] == "wang"
    assert numbers(caller.get(f"{ORDERS}?owner=wang")) == [mine.number]
    assert numbers(caller.get(f"{ORDERS}?owner=nobody")) == [free.number]
    assert caller.get(f"{ORDERS}?owner=li").status_code == 400
    wang.is_active = False
    wang.save()
    assert caller.get(f"{ORDERS}{mine.number}/").json()["owner"] is None


def test_what_is_not_as_fine_as_its_state_says_so(system):
    unbilled()
    assert [row["doubt"] for row in system().get(ORDERS).json()["results"] if row["kind"] == "activation"] != [None]


@pytest.mark.parametrize("text, found", [("北京 100A77", 1), ("１００Ａ 77", 1), ("上海 100A77", 0)])
def test_it_reads_a_text_as_the_list_does(system, text, found):
    make.OrderFactory(number="100A77", trial_number="")
    assert system().orders(q=text) == ["100A77"] * found


@pytest.mark.parametrize(
    "query, rows",
    [
        ({"state": "failed"}, ["failed"]),
        ({"state__exact": "failed"}, ["failed"]),
        ({"held_because": "files"}, ["held"]),
        ({"needs": "somebody"}, ["held", "failed"]),
        ({"attribution": "SH"}, []),
        ({"kind": "activation", "attribution": "BJ"}, ["held", "failed"]),
        ({"start": "2023-09-20", "kind": "activation"}, ["held", "failed"]),
        ({"stuck": "bpm"}, ["failed"]),
    ],
)
def test_it_takes_the_filters_of_the_staff_s_list(system, clock, query, rows):
    found = {"failed": failed().number, "held": held_for_files().number}
    assert system().orders(**query) == [found[name] for name in rows]


def test_its_filters_are_those_of_the_staff_s_list():
    listed = admin.site.get_model_admin(Order)
    names = [said_as(entry) for entry in listed.list_filter]
    titles = {name: query_words(listed, f"{name}=1")[0][0] for name in names}
    assert {name: str(one.title) for name, one in FILTERS.items()} == titles


def test_it_tells_by_how_much_working_time_an_order_is_late(system, monkeypatch):
    now = shanghai("2023-09-22 09:00:00")  # a Friday
    monkeypatch.setattr(timezone, "now", lambda: now)
    for number, since in (("late", "2023-09-20 07:00:00"), ("in time", "2023-09-21 10:00:00")):
        about = {"state": Order.State.HELD, "held_because": "files", "state_since": shanghai(since)}
        make.OrderFactory(number=number, **about)
    caller = system()
    assert caller.orders(overtime="very") == ["late"]
    found = {row["order"]: row["over_time"] for row in caller.get(ORDERS).json()["results"]}
    assert found == {"late": 26 * 3600, "in time": None}
    assert caller.get(f"{ORDERS}late/").json()["over_time"] == 26 * 3600


def test_search_and_customer(system):
    order = make.OrderFactory(enterprise_id="100A9")
    make.OrderFactory()
    assert system().orders(q=order.number) == [order.number]
    assert system().orders(customer="100A9") == [order.number]


def test_no_error_names_staff_or_tells_who_is_there(system):
    """The name of somebody outside the token's attributions gets the same answer as a name that nobody has."""
    order = make.OrderFactory(attribution_id="BJ", state="failed")
    names = {"beijing": ["BJ"], "everywhere": None, "shanghai": ["SH"]}
    for name, letters in names.items():
        user = make.UserFactory(username=name, letters=letters)
        user.groups.set(Group.objects.filter(name="业务人员"))
    make.UserFactory(username="reader")
    Order.objects.filter(pk=order.pk).update(owner=User.objects.get(username="beijing"))

    def said(caller, name):
        answer = caller.get(ORDERS, owner=name)
        return answer.status_code, answer.json().get("error", "").replace(f"value {name};", "value X;")

    limited, free = system(letters=["BJ"]), system()
    unknown = (400, "filter owner has no value X; there are: nobody")
    assert {name: said(limited, name) for name in [*names, "reader", "zzz"]} == {
        "beijing": (200, ""),
        "everywhere": (200, ""),
        **dict.fromkeys(["shanghai", "reader", "zzz"], unknown),
    }
    assert said(free, "zzz") == unknown
    assert said(free, "shanghai") == (200, "")
    assert limited.orders(owner="beijing") == [order.number]


def test_no_error_lists_what_a_limited_token_does_not_see(system):
    """Each parameter is called with values that it does not accept. The answers contain nothing about other
    attributions.
    """
    hidden = make.OrderFactory(attribution_id="SH", enterprise_id="100SH", enterprise_name="某沪公司", number="SH-1")
    incident = make.AffectedOrderFactory(order=hidden).incident
    for name in ("sh.li", "sh.wang"):
        make.UserFactory(username=name, letters=["SH"]).groups.set(Group.objects.filter(name="业务人员"))
    caller = system(letters=["BJ"])
    for parameter in [*PARAMETERS, *ALL]:
        for value in ("zzz", "SH", "", "100SH", str(incident.pk), "sh.li"):
            text = caller.get(ORDERS, **{parameter: value}).content.decode().replace(f"value {value};", "")
            for word in ("SH-1", "某沪公司", "100SH", "sh.wang", "sh.li", "SH,", " SH"):
                assert word not in text, (parameter, value)


@pytest.mark.parametrize(
    "query, field, right",
    [
        ({"colour": "red"}, "colour", "held_because"),
        ({"state": "zzz"}, "state", "awaiting_approval"),
        ({"state": "zzz", "kind": "trial"}, "state", "awaiting_approval"),
        ({"start": "yesterday or so"}, "start", "YYYY-MM-DD"),
        ({"o": "1"}, "o", "state"),
        ({"p": "2"}, "p", "cursor"),
        ({"state__nope": "failed"}, "state__nope", "no parameter of this address; there are: needs"),
        ({"attribution__name": "BJ"}, "attribution__name", "no parameter of this address; there are: needs"),
        ({"oper_tel__startswith": "1"}, "oper_tel__startswith", "state"),
        ({"trial__enterprise_name": "x"}, "trial__enterprise_name", "state"),
        ({"limit": "0"}, "limit", "200"),
        ({"limit": "201"}, "limit", "200"),
        ({"limit": "٣"}, "limit", "200"),
        ({"limit": ["1", "2"]}, "limit", "once"),
        ({"state": ["held", "failed"]}, "state", "once"),
        ({"q": ["zzz", "100A"]}, "q", "once"),
        ({"state": "held", "state__exact": "failed"}, "state__exact", "once"),
        ({"cursor": "-1"}, "cursor", "next"),
        ({"cursor": "9" * 19}, "cursor", "next"),
        ({"q": "a\0b"}, "q", "NUL"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(system, query, field, right):
    answer = system().get(ORDERS, **query)
    assert (answer.status_code, answer.json().get("field")) == (400, field)
    assert right in answer.json()["error"]


@pytest.mark.parametrize(
    "raw", [*RAW, "&".join(f"a{n}=1" for n in range(60)), "&".join(["q=1"] * 2000), "limit=%00", "cursor=%ff"]
)
def test_rubbish_in_the_address_never_breaks_it(system, raw):
    make.OrderFactory()
    caller = system()
    answer = caller.client.get(f"{ORDERS}?{raw}", headers=caller.headers)
    assert answer.status_code in {200, 400}
    assert answer.json()


@pytest.mark.parametrize("value", VALUES)
def test_rubbish_in_a_filter_never_breaks_it(system, value):
    caller = system()
    for name in (*FILTERS, "q", "state__in", "attribution__letters__exact", "incident", "limit", "cursor"):
        answer = caller.get(ORDERS, **{name: value})
        assert answer.status_code in {200, 400}, name


@pytest.mark.parametrize("name", ["columns", "view", "o", "p", "all"])
def test_what_only_pages_have_is_no_parameter(system, name):
    make.OrderFactory()
    answer = system().get(ORDERS, **{name: "number"})
    assert (answer.status_code, answer.json()["field"]) == (400, name)


def test_a_limited_token_reads_its_attributions_only(system):
    own = make.OrderFactory(attribution_id="BJ")
    make.OrderFactory(attribution_id="SH")
    make.OrderFactory(attribution_id=None)
    caller = system(letters=["BJ"])
    assert caller.orders() == [own.number]
    assert caller.get(ORDERS, attribution="SH").json()["field"] == "attribution"
    assert system(letters=[]).orders() == []


def test_pages_hold_still_while_orders_arrive(system):
    old = [make.OrderFactory().number for _ in range(5)]
    caller, found = system(), []
    answer = caller.get(ORDERS, limit=2)
    while True:
        found += numbers(answer)
        make.OrderFactory()
        if not answer.json()["next"]:
            break
        answer = caller.client.get(answer.json()["next"], headers=caller.headers)
    assert found == old[::-1]


def test_the_next_page_keeps_the_filter(system):
    for state in ("active", "failed", "active", "active"):
        make.OrderFactory(state=state)
    caller = system()
    following = caller.get(ORDERS, limit=2, state="active").json()["next"]
    assert len(caller.client.get(following, headers=caller.headers).json()["results"]) == 1


def test_who_has_it_already_is_told_so(system):
    make.OrderFactory()
    caller = system()
    told = caller.told_anew(ORDERS, make.OrderFactory)
    assert (told.status_code, told["ETag"][:3]) == (200, 'W/"')
    assert caller.get(ORDERS, headers={"If-None-Match": "rubbish"}).status_code == 200


@pytest.mark.parametrize("query", [{}, {"needs": "somebody"}, {"q": "北京"}, {"attribution": "BJ", "limit": 200}])
def test_it_asks_the_same_however_many_there_are(system, query):
    caller = system(letters=["BJ"])
    caller.get(ORDERS, **query)
    failed()
    few = queries(caller, ORDERS, **query)
    for _ in range(20):
        failed()
    assert queries(caller, ORDERS, **query) == few <= MOST_QUERIES


def test_no_answer_reads_a_large_content(system):
    make.OrderFactory(content={"x": "y" * 100})
    caller = system()
    with CaptureQueriesContext(connection) as captured:
        caller.get(ORDERS)
    assert not [row["sql"] for row in captured if '"orders_order"."content"' in row["sql"]]
