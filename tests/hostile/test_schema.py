"""The answers of both addresses conform to the OpenAPI schema that we publish, and the schema documents every
answer."""

import json

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.specs.openapi import checks

from integrations.bboss.reply_codes import Code
from integrations.bboss.sample_envelope import signed_envelope
from integrations.bpm.callback_signature import sign
from project.wsgi import application
from tests.hostile import valid
from tests.hostile.desk import connection_stays_open
from tests.hostile.mutations import BBOSS, BPM
from tests.sampling import WHOLE

STATUSES = {
    BBOSS: {"200", "400", "403", "405", "413", "415", "429", "503"},
    BPM: {"200", "400", "401", "404", "405", "409", "413", "503"},
}
# These checks leave out those that expect 4xx for a bad body and 2xx for a good one, because the contract answers 200
# with a code, and because both addresses need a signature.
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
BOUNDED = examples(
    max_examples=100 if WHOLE else 8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", application)
pytestmark = pytest.mark.usefixtures("orders")


@pytest.fixture
def orders(db, clock):
    """Creates the orders that calls may name."""
    valid.make_orders()
    with connection_stays_open():
        yield


@schema.parametrize()
@BOUNDED
def test_answers_conform_to_the_schema(case):
    case.validate_response(case.call(), checks=CHECKS)


@schema.include(method="POST").parametrize()
@BOUNDED
def test_answers_to_signed_calls_conform_to_the_schema(case):
    """Signed messages that are generated from the schema reach the checks of the content, and their answers conform to
    the schema."""
    case.validate_response(case.call(**signed(case)), checks=CHECKS)


def signed(case) -> dict:
    """Returns the body and headers that a partner with the secret would send for the case. A case without a body stays
    as it is."""
    if isinstance(case.body, NotSet):
        return {}
    raw = case.body if isinstance(case.body, bytes) else json_of(case)
    return {"data": raw, "headers": {"X-Signature": sign(raw, "test-callback-secret")}}


def json_of(case) -> bytes:
    """Returns the body as JSON. For BBOSS's address this is a valid envelope with the generated content."""
    body = case.body
    if case.path == BBOSS:
        content = body.get("content") if isinstance(body, dict) else body
        body = signed_envelope(content, now=valid.NOW)
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def paths():
    return SchemaGenerator().get_schema(public=True)["paths"]


@pytest.fixture
def answers(paths):
    """Returns a function: `answers(path)` returns the documented responses to a POST at this path, by status."""
    return lambda path: paths[path]["post"]["responses"]


def documented(response: dict) -> list[dict]:
    """Returns the example bodies of a response."""
    return [example["value"] for example in response["content"]["application/json"]["examples"].values()]


@pytest.mark.parametrize("path", [BBOSS, BPM])
def test_every_status_is_documented_with_an_example(answers, path):
    assert answers(path).keys() == STATUSES[path]
    assert all(map(documented, answers(path).values()))


@pytest.mark.parametrize("code", Code)
def test_every_code_of_the_table_has_an_example(answers, code):
    row = code.value
    examples = documented(answers(BBOSS)[str(row.http)])
    said = [example["response"] for example in examples]
    assert {"rspCode": row.number, "rspDesc": row.desc} in said


def test_every_answer_to_bpm_has_an_example(answers):
    for status, response in answers(BPM).items():
        assert [example["code"] for example in documented(response)] == [int(status)]


@pytest.mark.parametrize("path", [BBOSS, BPM])
def test_the_body_is_json_and_nothing_else(paths, path):
    assert list(paths[path]["post"]["requestBody"]["content"]) == ["application/json"]
