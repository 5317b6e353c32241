"""The calls that are retried, the times of their retries, and the result if they never succeed (contract 3.5)."""

import datetime
import time
from unittest.mock import Mock

import pytest
from django.utils import timezone

from integrations.delivery import loop, write_and_send_mail
from notifications.models import Mail
from notifications.sending import MailError
from orders.models import Attempt, Dispatch
from tests.flows.conftest import BILLING, BPM, USAGE
from tests.flows.contents import activation, trial

SCHEDULE = [30, 120, 600, 1800, 7200, 21600]
FOR_NOW = [
    ("500", {}, "http_500"),
    ("503", {}, "http_503"),
    ("429", {}, "http_429"),
    ("reset", {}, "broken"),
    ("reset_after", {}, "broken"),
    ("garbage", {}, "not_json"),
    ("refusal", {"code": 500}, "code_500"),
    ("refusal", {"code": 503}, "code_503"),
]


def wait_of(row: Dispatch) -> float:
    return (row.next_try_at - timezone.now()).total_seconds()


def sent_alike(desk, path: str, times: int) -> None:
    """Checks that all attempts had the same bytes and the same key, and that each had its own request id."""
    calls = desk.sandbox.calls(path=path)
    assert len(calls) == times
    assert len({(call["key"], call["digest"]) for call in calls}) == 1
    assert len({call["request_id"] for call in calls}) == times


@pytest.mark.parametrize("kind, more, code", FOR_NOW)
def test_what_says_nothing_definite_is_tried_again_under_the_same_key(desk, kind, more, code):
    desk.sandbox.fault(path=BILLING, kind=kind, **more)
    desk.play(trial())
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.attempts, row.error_code) == ("retrying", 1, code)
    assert (desk.state("T1"), desk.troubles("T1")) == ("in_progress", [])
    desk.wait()
    assert desk.state("T1") == "trialing"
    sent_alike(desk, BILLING, 2)
    assert list(desk.alive_there("T1")) == ["a.example.com"]


def test_a_call_without_an_answer_in_time_is_tried_again(desk, settings):
    settings.PARTNER_TIMEOUT_SECONDS = 1
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=3)
    desk.play(trial())
    assert desk.step("T1", "create_trial_billing").error_code == "timeout"
    desk.wait()
    assert desk.state("T1") == "trialing"
    sent_alike(desk, BILLING, 2)


def test_the_waits_follow_the_schedule_within_ten_percent(desk):
    desk.sandbox.fault(path=BILLING, kind="500", count=len(SCHEDULE))
    desk.play(trial())
    waits = []
    for _ in SCHEDULE:
        waits.append(wait_of(desk.step("T1", "create_trial_billing")))
        desk.wait()
    for wait, planned in zip(waits, SCHEDULE, strict=True):
        assert planned * 0.9 <= wait <= planned * 1.1
    assert waits != SCHEDULE  # the waits have jitter
    assert desk.state("T1") == "trialing"
    sent_alike(desk, BILLING, 7)


@pytest.mark.parametrize("asked, least, most", [(3600, 3600, 3600), (5, 27, 33)])
def test_retry_after_is_honoured_where_it_asks_for_more(desk, asked, least, most):
    desk.sandbox.fault(path=BILLING, kind="503", retry_after=asked)
    desk.play(trial())
    assert least <= wait_of(desk.step("T1", "create_trial_billing")) <= most


def test_when_the_retries_are_used_up_the_step_fails_with_an_incident(desk):
    desk.sandbox.fault(path=BILLING, kind="500", count=len(SCHEDULE) + 1)
    desk.play(trial())
    desk.wait_out()
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.attempts, row.definite) == ("failed", 7, False)
    assert (desk.state("T1"), desk.troubles("T1")) == ("failed", ["http_500"])
    assert (desk.records("T1"), desk.mails("T1", "mail_incident")) == ({"a.example.com": "unknown"}, 1)


@pytest.mark.parametrize("shortened, calls", [([], 2), ([5], 3)])
def test_a_plan_that_is_shortened_meanwhile_is_the_one_that_counts(desk, settings, shortened, calls):
    """If the retry schedule becomes shorter, the shorter schedule applies. Nothing breaks if an attempt is under way,
    or waits, at that moment."""
    settings.DISPATCH_RETRY_SECONDS = [30, 120, 600]
    desk.sandbox.fault(path=BILLING, kind="500", count=9)
    desk.play(trial())
    settings.DISPATCH_RETRY_SECONDS = shortened
    desk.wait_out()
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.attempts, row.error_code, row.definite) == ("failed", calls, "http_500", False)
    assert desk.troubles("T1") == ["http_500"]
    assert not Attempt.objects.filter(outcome="").exists()


def test_a_refusal_is_permanent(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal", code=400, message="域名未备案")
    desk.play(trial())
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.attempts, row.definite, row.error_code) == ("failed", 1, True, "code_400")
    assert "域名未备案" in row.error
    assert (desk.troubles("T1"), desk.records("T1")) == (["code_400"], {"a.example.com": "to_send"})
    assert not desk.wait()


@pytest.mark.parametrize("kind", ["500", "refusal"])
def test_traffic_holds_up_nothing_and_only_opens_an_incident(desk, settings, kind, trialing):
    """Contract 3.9 (4), Compensation's reach: a failed traffic step does not compensate the activation."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.sandbox.fault(path=USAGE, kind=kind, count=2)
    desk.play(activation())
    assert desk.state("A1") == "active"
    desk.wait_out()
    assert desk.step("A1", "fetch_usage").state == "failed"
    assert (desk.state("A1"), len(desk.troubles("A1"))) == ("active", 1)
    assert not Mail.objects.filter(kind="mail_incident").exists()  # no mail, because no order has stopped
    assert desk.alive_there("A1") == ["a.example.com"]


@pytest.mark.parametrize("permanent", [True, False])
def test_mail_holds_up_nothing_and_only_opens_an_incident(desk, settings, monkeypatch, permanent):
    """Contract 3.9 (4), Compensation's reach: a failed mail does not compensate the activation."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    monkeypatch.setattr(
        write_and_send_mail, "send", Mock(side_effect=MailError("no", permanent=permanent, code="smtp_550"))
    )
    desk.play(trial(), activation())
    desk.wait_out()
    assert desk.step("A1", "mail_sent_to_bpm").state == "failed"
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", ["smtp_550"])


def test_a_lease_that_ran_out_is_claimed_again_under_the_same_key_and_bytes(desk):
    desk.post(trial())
    [first] = desk.claim()
    desk.deliver()
    assert desk.sandbox.calls() == []  # a worker has claimed the step
    desk.clock.shift(61)
    [second] = desk.claim()
    assert (second.key, second.payload) == (first.key, first.payload)
    assert second.token != first.token
    outcomes = Attempt.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["lost", ""]
    desk.end(second)
    assert desk.state("T1") == "trialing"


@pytest.mark.parametrize("result", ["ok", "retry", "refused", "handed_back"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_late_result_is_recorded_and_plans_nothing(desk, result, when):
    """Contract 3.9 (5) and (10): the result of a worker that lost its lease is recorded and changes nothing. This
    holds while the next attempt is under way and after it has ended."""
    desk.post(trial())
    [first] = desk.claim()
    desk.clock.shift(61)
    [second] = desk.claim()
    if when == "after":
        desk.end(second)
    before = (desk.steps("T1"), desk.state("T1"), desk.records("T1"))
    desk.end(first, result, code="late" if result != "ok" else "")
    assert (desk.steps("T1"), desk.state("T1"), desk.records("T1")) == before
    assert [event["result"] for event in desk.events("T1", "late_answer")] == [result]
    if when == "before":
        desk.end(second)
    assert (desk.state("T1"), desk.troubles("T1")) == ("trialing", [])


def test_a_result_whose_lease_ran_out_unclaimed_still_counts(desk):
    desk.post(trial())
    [work] = desk.claim()
    desk.clock.shift(300)  # no other worker claimed the step
    desk.end(work)
    assert desk.state("T1") == "trialing"


def test_a_dispatch_is_handed_back_when_its_lease_is_too_short_for_the_call(desk, settings):
    """Contract 3.9 (10), Leases: a call needs a lease that lasts longer than the total time-out and 5 s. Otherwise the
    step is handed back."""
    desk.post(trial())
    [work] = desk.claim()
    enough = settings.PARTNER_TIMEOUT_SECONDS + 5
    call = loop.ClaimedCall(None, work, until=time.monotonic() + enough - 0.5)
    outcome = loop._call(call, lambda: float("inf"))
    assert outcome.result == "handed_back"
    assert desk.sandbox.calls() == []
    desk.end(work, outcome.result)
    row = desk.step("T1", "create_trial_billing")
    assert (row.state, row.attempts, row.tries_left) == ("due", 0, None)
    desk.deliver()
    assert desk.state("T1") == "trialing"


def test_the_payload_of_a_day_later_is_that_of_the_first_attempt(desk, trialing):
    """Contract 3.2 and 3.9 (3): T is the moment of the first attempt. Every later attempt sends the same bytes, also a
    day later."""
    desk.sandbox.fault(path=BPM, kind="503", retry_after=6 * 3600, count=4)
    desk.play(activation())
    while desk.state("A1") != "active":
        assert desk.wait()
    assert timezone.now() - desk.order("A1").received_at >= datetime.timedelta(days=1)
    sent_alike(desk, BPM, 5)
    assert desk.sent(BPM)[-1]["data"]["tyywrwlcdx"]["createDate"] == "2023-09-20 18:54:36"


def test_29_february_plus_ten_years_is_28_february(desk):
    desk.at("2024-02-29 10:00:00")
    desk.play(trial(BizStart="20240229"), activation(start="20240229"))
    assert desk.held_there("A1")["a.example.com"]["createTime"] == "20240229100000"
    assert desk.held_there("A1")["a.example.com"]["cancelTime"] == "20340228100000"
    assert desk.held_there("T1")["a.example.com"]["cancelTime"] == "20240229100000"


def test_a_trial_with_an_end_day_is_live_until_its_last_second(desk):
    desk.play(trial(BizEnd="20231019"))
    assert desk.held_there("T1")["a.example.com"]["cancelTime"] == "20231019235959"
