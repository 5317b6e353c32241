"""The details that are stored about a failed call. The log has an English text; pages use a code with parameters and
put it into words."""

import pytest
from django.utils import translation

from orders.models import AffectedOrder
from orders.order_words.error_details import of_step, of_trouble
from tests.flows.conftest import BILLING
from tests.flows.contents import trial


@pytest.fixture(autouse=True)
def in_chinese():
    with translation.override("zh-hans"):
        yield


@pytest.mark.parametrize(
    "kind, more, logged, told",
    [
        ("refusal", {"code": 400, "message": "域名未备案"}, "answered HTTP 200, code 400: 域名未备案", "域名未备案"),
        ("refusal", {"code": 503, "message": "维护中"}, "answered HTTP 200, code 503: 维护中", "维护中"),
        ("503", {}, "answered HTTP 503", ""),
        ("garbage", {}, "answered HTTP 200 with a body that is not a JSON object", ""),
    ],
)
def test_a_partner_s_words_are_kept_apart_from_ours(desk, kind, more, logged, told):
    desk.sandbox.fault(path=BILLING, kind=kind, **more)
    desk.play(trial())
    row = desk.step("T1", "create_trial_billing")
    assert row.error == logged
    attempt = row.tries.get()
    assert (attempt.error_code, attempt.error) == (row.error_code, f"{row.error_code}: {logged}")
    assert of_step(row) == told


def test_a_connection_that_breaks_says_no_more_than_its_cause(desk):
    desk.sandbox.fault(path=BILLING, kind="reset")
    desk.play(trial())
    row = desk.step("T1", "create_trial_billing")
    assert (row.error_code, of_step(row)) == ("broken", "")
    assert row.error.startswith("the connection broke before the answer was complete")


def test_what_is_done_in_the_end_keeps_nothing_of_it(desk):
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial())
    desk.wait()
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.error, row.error_params) == ("done", "", {})


def test_the_incident_and_its_order_tell_the_same(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal", code=400, message="请联系13712345678")
    desk.play(trial())
    trouble = AffectedOrder.objects.get(order__number="T1")
    assert of_trouble(trouble) == of_trouble(trouble.incident) == "请联系137***78"
    event = trouble.order.events.get(kind="incident")
    assert event.data["params"] == {"code": "partner_words", "words": "请联系13712345678"}
