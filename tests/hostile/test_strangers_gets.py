"""No GET of a person who is not logged in leaves a row in the database (contract 6). The tests request every address
with meaningless data."""

import re
import secrets
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLResolver, get_resolver

from project.accounts.company import provider
from tests import factories as make
from tests.company.conftest import CALLBACK, START, asked_of, with_company
from tests.company.issuer import Issuer

pytestmark = pytest.mark.django_db
ARGUMENT = re.compile(r"<(?:\w+:)?\w+>|\(\?P<\w+>[^)]*\)")
LONG = "x" * 6000


@pytest.fixture(params=["there", "away"])
def company(request, settings):
    """A company log-in whose provider answers, or does not answer."""
    with Issuer() as issuer:
        with_company(settings, issuer.url)
        issuer.status = 200 if request.param == "there" else 500
        # checks whether an order can be stored, and leaves one row for good
        Client().get("/readyz", {"for": "intake"})
        yield
    provider.cache.forget()


def addresses(*values: str) -> list[str]:
    """Returns every address of the URLconf, once with each value in place of its arguments."""

    def inside(patterns, before=""):
        for one in patterns:
            route = before + re.sub(r"^\^|\$$", "", str(one.pattern))
            if isinstance(one, URLResolver):
                yield from inside(one.url_patterns, route)
            else:
                yield from {f"/{ARGUMENT.sub(value, route)}" for value in values}

    return sorted(set(inside(get_resolver().url_patterns)))


def rows() -> dict[str, int]:
    """Returns the number of rows of each table."""
    names = connection.introspection.table_names()
    with connection.cursor() as cursor:
        found = {}
        for name in names:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(name)}")
            found[name] = cursor.fetchone()[0]
    return found


def queries() -> list[str]:
    """Returns queries with meaningless bytes, and with made-up keys and states under each name that one of our
    addresses reads."""
    made_up = secrets.token_urlsafe(32)
    names = ("key", "state", "code", "next", "error", "token", "owner", "cursor", "q", "watch", "sent")
    return ["", "q=%ff%fe&%00=1", *(urlencode(dict.fromkeys(names, value)) for value in (made_up, LONG, "\0"))]


def stranger() -> Client:
    """Returns a client with made-up cookies and a made-up token."""
    client = Client(headers={"Authorization": f"Bearer {secrets.token_urlsafe(32)}"}, raise_request_exception=False)
    for name in ("sessionid", "emergency_key", "password_key", "company_states", "login_ticket", "messages"):
        client.cookies[name] = secrets.token_urlsafe(32)
    return client


def risen(before: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in rows().items() if number != before.get(name)}


@pytest.mark.parametrize("company", ["there"], indirect=True)
@pytest.mark.whole
def test_no_get_of_a_stranger_leaves_a_row(company):
    order = make.OrderFactory()
    asked, before = addresses(str(order.pk), order.number), rows()
    assert len(asked) > 300
    nothing, *more = queries()
    nobody, guest = Client(raise_request_exception=False), stranger()
    for address in asked:
        for client, query in ((nobody, nothing), *((guest, query) for query in more)):
            assert client.get(f"{address}?{query}").status_code in (*range(200, 500), 503), (address, query)
    assert risen(before) == {}


@pytest.mark.whole
def test_a_browser_that_goes_on_asking_leaves_none_either(company):
    """A browser goes on with the cookies that it was given, for example by the start of the company log-in or by a
    link, and leaves no row either."""
    client = Client(raise_request_exception=False)
    asked = [one for one in addresses("zzz") if not one.startswith("/admin/orders/")]
    assert {START, CALLBACK} <= set(asked)
    before = rows()
    for _ in range(3):
        for address in asked:
            query = urlencode({"key": secrets.token_urlsafe(32), "state": secrets.token_urlsafe(32)})
            client.get(f"{address}?{query}")
            client.head(f"{address}?{query}")
    assert risen(before) == {}


def test_the_company_log_in_s_start_is_no_row_however_often(settings):
    with Issuer() as issuer:
        with_company(settings, issuer.url)
        before, client = rows(), Client()
        states = [asked_of(client.get(START, {"next": f"/admin/?{'x' * 5000}"}))["state"] for _ in range(60)]
        assert risen(before) == {}
        # about the largest size of a cookie that browsers keep
        assert sum(len(cookie.value) for cookie in client.cookies.values()) < 4000
        assert len(set(states)) == 60
    provider.cache.forget()
