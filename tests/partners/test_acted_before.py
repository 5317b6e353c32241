"""A partner answers 409 if it has processed the same key before with other bytes. Each kind of call handles this
answer (contract 3.5)."""

import dataclasses
import uuid

import pytest
from django.utils import timezone

from integrations.bigdata.billing_record_fields import deletion_body, records_body
from integrations.delivery.channels import send_step
from integrations.outbound import wire_formats
from orders.models import Attempt
from orders.outbox.outcome import Work
from tests.partners.test_comparison import facts

BILLING, DELETE, QUERY = "/bigdata/productInfos", "/bigdata/productInfos/delete", "/bigdata/productInfos/query"
BPM, USAGE = "/bpm/flows/start", "/bigdata/trialFlow/query"
Result = Attempt.Outcome
RECORD = records_body([facts()])["productInfos"][0]


def work(step: str, payload: dict, channel: str = "billing") -> Work:
    ids = {"dispatch_id": 1, "attempt_id": 1, "token": uuid.uuid4(), "key": str(uuid.uuid4()), "request_id": "r"}
    body = wire_formats.encode(payload)
    return Work(**ids, channel=channel, step=step, payload=body, lease_until=timezone.now())


CREATE = work("create_trial_billing", records_body([facts()]))
DELETION = work("delete_billing", deletion_body([facts()]))
START = work("start_bpm", {"flowKey": "tyywrwlc"}, "bpm")


def keys(sandbox, path: str) -> list[str]:
    return [call["key"] for call in sandbox.calls(path)]


@pytest.mark.parametrize("fault", [{"kind": "409"}, {"kind": "refusal", "code": 409}])
@pytest.mark.parametrize("step, path", [(CREATE, BILLING), (DELETION, DELETE)])
def test_a_billing_step_asks_what_the_partner_holds(sandbox, fault, step, path):
    sandbox.partners.store.put_record(RECORD)
    sandbox.fault(path, **fault)
    outcome = send_step(step)
    assert (outcome.result, outcome.code) == (Result.ACTED_BEFORE, "acted_before")
    assert (outcome.unknown, outcome.transport) == (False, False)
    (held,) = outcome.data["held"]
    assert (held.product_id, held.domain, held.live, held.fields) == ("1", "A.example.com", True, RECORD)
    assert sandbox.calls(QUERY)[0]["body"] == {"jobId": "100T1"}
    assert keys(sandbox, QUERY) != keys(sandbox, path)


def test_by_the_sandboxs_own_rule(sandbox):
    """After a restore from a backup, the desk sends other bytes under a key that the sandbox has processed. The
    sandbox's own rule answers 409."""
    assert send_step(CREATE).result == Result.OK
    again = records_body([facts(enterprise_name="北京示例二")])
    outcome = send_step(dataclasses.replace(CREATE, payload=wire_formats.encode(again)))
    assert outcome.result == Result.ACTED_BEFORE
    assert [record.fields["enterpriseName"] for record in outcome.data["held"]] == ["北京示例"]


def test_nothing_held_is_an_empty_list(sandbox):
    sandbox.fault(DELETE, "409")
    assert send_step(DELETION).data == {"held": []}


@pytest.mark.parametrize("kind, transport", [("503", True), ("refusal", False), ("garbage", True)])
def test_an_unanswered_question_is_tried_again(sandbox, kind, transport):
    sandbox.fault(BILLING, "409")
    sandbox.fault(QUERY, kind)
    outcome = send_step(CREATE)
    assert (outcome.result, outcome.code, outcome.unknown) == (Result.RETRY, "acted_before", True)
    assert (outcome.data, outcome.transport) == ({}, transport)
    assert len(sandbox.calls(QUERY)) == 1


def test_the_answer_and_the_question_share_one_time_out(sandbox, settings):
    settings.PARTNER_TIMEOUT_SECONDS = 1.5  # the call and the query together would take 2 s
    sandbox.fault(BILLING, "409")
    sandbox.delay(1)
    outcome = send_step(CREATE)
    assert (outcome.result, outcome.code) == (Result.RETRY, "acted_before")


def test_bpm_has_nothing_to_be_asked(sandbox):
    sandbox.fault(BPM, "409")
    outcome = send_step(START)
    assert (outcome.result, outcome.code, outcome.data) == (Result.ACTED_BEFORE, "acted_before", {})
    assert sandbox.calls(QUERY) == []


@pytest.mark.parametrize(
    "step, path",
    [
        (work("fetch_usage", {"productInfos": []}, "usage"), USAGE),
        (work("ask_billing", {"jobId": "100T1"}), QUERY),
        (work("verify_deleted", {"jobId": "100T1", "delete": deletion_body([facts()])}), QUERY),
    ],
)
def test_a_look_up_is_refused(sandbox, step, path):
    sandbox.fault(path, "409")
    outcome = send_step(step)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "code_409")


def test_asking_gives_what_is_held(sandbox):
    sandbox.partners.store.put_record(RECORD)
    outcome = send_step(work("ask_billing", {"jobId": "100T1"}))
    assert (outcome.result, [record.key for record in outcome.data["held"]]) == (Result.OK, ["a.example.com"])
    assert send_step(work("ask_billing", {"jobId": "100T2"})).data == {"held": []}


def test_the_second_delete_after_a_question_has_a_key_of_its_own(sandbox):
    """A deletion that is repeated after a query has the same bytes but a key of its own. With a known key the partner
    would answer without acting."""
    verify = work("verify_deleted", {"jobId": "100T1", "delete": deletion_body([facts()])})
    for _ in range(2):
        sandbox.partners.store.put_record(RECORD)
        assert send_step(verify).result == Result.OK
        assert sandbox.partners.store.records("100T1") == []
    assert len(set(keys(sandbox, DELETE))) == 2


def test_a_second_delete_that_meets_409_is_tried_again(sandbox):
    sandbox.partners.store.put_record(RECORD)
    sandbox.fault(DELETE, "409")
    outcome = send_step(work("verify_deleted", {"jobId": "100T1", "delete": deletion_body([facts()])}))
    assert (outcome.result, outcome.code, outcome.unknown) == (Result.RETRY, "acted_before", True)


def test_both_calls_of_a_verification_share_one_time_out(sandbox, settings):
    settings.PARTNER_TIMEOUT_SECONDS = 1.5  # the two calls together would take 2 s
    sandbox.partners.store.put_record(RECORD)
    sandbox.delay(1)
    outcome = send_step(work("verify_deleted", {"jobId": "100T1", "delete": deletion_body([facts()])}))
    assert (outcome.result, outcome.code) == (Result.RETRY, "timeout")


@pytest.mark.parametrize(
    "step, payload",
    [
        ("create_billing", {"productInfos": []}),
        ("fix_delete_billing", {"productInfos": []}),
        ("verify_deleted", {"jobId": "100T1", "delete": {"productInfos": []}}),
    ],
)
def test_an_empty_list_is_done_without_a_call(sandbox, step, payload):
    outcome = send_step(work(step, payload))
    assert (outcome.result, outcome.answer) == (Result.OK, "nothing to send")
    assert sandbox.calls() == []


def test_records_of_several_orders_are_all_asked_for(sandbox):
    other = facts(job_id="100T2")
    for one in (facts(), other):
        sandbox.partners.store.put_record(records_body([one])["productInfos"][0])
    sandbox.fault(BILLING, "409")
    outcome = send_step(work("fix_create_billing", records_body([facts(), other, facts("b.example.com")])))
    assert [record.fields["jobId"] for record in outcome.data["held"]] == ["100T1", "100T2"]
