"""The read API agrees with the OpenAPI schema that we publish, and the schema has every answer and every filter."""

from urllib.parse import unquote

import pytest
import schemathesis
from django.core.cache import cache
from drf_spectacular.generators import SchemaGenerator
from hypothesis import settings as examples

from integrations.api.filters import FILTERS
from integrations.api.pagination import CURSOR, LIMIT
from project.wsgi import application
from tests import factories as make
from tests.admin.orders import failed, held_for_files, unbilled
from tests.hostile.desk import connection_stays_open
from tests.hostile.test_schema import BOUNDED, CHECKS, documented
from tests.sampling import WHOLE

ADDRESSES = {
    "/api/orders/": {"200", "304", "400", "401", "405", "429", "503"},
    "/api/orders/{number}/": {"200", "304", "400", "401", "404", "405", "429", "503"},
    "/api/customers/{enterprise_id}/billing/": {"200", "304", "400", "401", "404", "405", "429", "503"},
}
schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", application).include(path_regex="^/api/(orders|cus)")
# for addresses where most of the generated values are left out or never read
FEW = examples(BOUNDED, max_examples=30 if WHOLE else 8)
NAMES = {"number": "100A1", "enterprise_id": "100A23100079275183"}


@pytest.fixture
def token(db):
    """The header with a token that reads all orders. The desk has orders of several kinds."""
    make.OrderFactory(number=NAMES["number"])
    for kind in (failed, held_for_files, unbilled):
        make.ApprovalRecordFactory(order=kind())
    text = make.ApiTokenFactory().begins
    with connection_stays_open():
        yield {"Authorization": f"Bearer {text}"}


@schema.parametrize()
@BOUNDED
def test_answers_conform_to_the_schema(token, case):
    cache.clear()
    case.validate_response(case.call(headers=token), checks=CHECKS)


@schema.parametrize()
@FEW
def test_answers_about_what_is_there_conform_to_the_schema(token, case):
    cache.clear()
    case.path_parameters = {name: NAMES[name] for name in case.path_parameters or {}}
    case.query = {name: value for name, value in (case.query or {}).items() if name == LIMIT}
    case.validate_response(case.call(headers=token), checks=CHECKS)


@pytest.mark.whole  # tests/api/test_tokens.py calls each address without a token in every run
@schema.parametrize()
@FEW
def test_answers_without_a_token_conform_to_the_schema(token, case):
    answer = case.call(headers={"Authorization": ""})
    case.validate_response(answer, checks=CHECKS)
    customer = unquote((case.path_parameters or {}).get("enterprise_id", ""))
    assert answer.status_code in ({404} if "\n" in customer else {401, 405})  # a line break matches no address


@pytest.fixture(scope="module")
def paths():
    return SchemaGenerator().get_schema(public=True)["paths"]


def test_each_address_that_others_read_stands_above(paths):
    assert {address for address, methods in paths.items() if "get" in methods} == set(ADDRESSES)


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_status_is_documented(paths, address):
    operation = paths[address]["get"]
    assert operation["responses"].keys() == ADDRESSES[address]
    assert operation["security"] == [{"token": []}]
    errors = [answer for status, answer in operation["responses"].items() if status >= "400"]
    assert all(map(documented, errors))


@pytest.mark.django_db
def test_the_values_of_filters_are_documented_and_taken(paths, system):
    parameters = {row["name"]: row for row in paths["/api/orders/"]["get"]["parameters"]}
    values = {name: row["schema"]["enum"] for name, row in parameters.items() if "enum" in row["schema"]}
    assert values.keys() == {"needs", "state", "in_state", "overtime", "held_because", "stuck", "kind", "first"}
    assert "awaiting_approval" in values["state"]
    caller = system()
    for name, offered in values.items():
        for value in offered[:: 1 if WHOLE else 4]:
            assert caller.get("/api/orders/", **{name: value}).status_code == 200, (name, value)
    assert {"today", "last_month", "2026-11-01..2026-11-25"} <= words(parameters["received"]["description"])
    assert {"overdue", "7d", "..2026-11-25"} <= words(parameters["start"]["description"])
    rows = parameters[LIMIT]["schema"]
    assert (rows["minimum"], rows["maximum"], rows["default"]) == (1, 200, 50)


def words(text):
    return set(text.replace(",", " ").replace(":", " ").split())


def test_every_filter_of_the_list_is_documented(paths):
    names = {parameter["name"] for parameter in paths["/api/orders/"]["get"]["parameters"]}
    assert names == {*FILTERS, "q", LIMIT, CURSOR, "If-None-Match"}
