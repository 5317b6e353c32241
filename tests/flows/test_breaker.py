"""The calls to a partner that is down wait and cost no attempt, and calls to the other partner are not slowed
(contract 3.5)."""

import datetime

import pytest
from django.utils import timezone

from integrations.delivery import circuit_breaker
from integrations.delivery.circuit_breaker import open_partners
from integrations.models import Breaker
from orders.models import Dispatch, Incident, OrderEvent
from tests.flows import contents

BILLING = "/bigdata/productInfos"


@pytest.fixture
def quick_breaker(settings):
    settings.BREAKER_FAILURES = 4
    settings.BREAKER_PROBE_SECONDS = 15
    settings.DISPATCH_RETRY_SECONDS = [1, 1, 1]


def trial(number: str) -> dict:
    return contents.trial(number, f"{number.lower()}.example.com")


def fail_until_open(desk, orders: int = 4) -> None:
    desk.sandbox.fault(path=BILLING, kind="503", count=1000)
    for number in range(orders):
        desk.post(trial(f"T{number}"))
    desk.deliver()


def test_it_opens_after_enough_failures_over_three_dispatches(desk, quick_breaker):
    fail_until_open(desk)
    assert open_partners() == {"bigdata"}
    row = Breaker.objects.get(partner="bigdata")
    assert (row.last_code, row.last_error) == ("http_503", "http_503: answered HTTP 503")
    assert Incident.objects.get(code="breaker_open").state == "open"
    assert OrderEvent.objects.filter(kind="breaker_opened").count() == 1


def test_its_opening_and_its_closing_are_a_warning_each(desk, quick_breaker, caplog):
    """The circuit breaker logs one warning when it opens and one when it closes. Failures while it is open log nothing
    more."""
    fail_until_open(desk)
    desk.clock.shift(16)
    desk.deliver()  # this delivery sends a probe
    desk.sandbox.reset()
    desk.clock.shift(16)
    desk.deliver()
    lines = [row.getMessage() for row in caplog.records if row.name == circuit_breaker.__name__]
    assert [row.levelname for row in caplog.records if row.name == circuit_breaker.__name__] == ["WARNING"] * 2
    assert lines[0] == (
        "the breaker of bigdata opens: its calls wait, a probe goes out now and then: http_503: answered HTTP 503"
    )
    assert lines[1] == "the breaker of bigdata closes: it was open for 32 s"


def test_one_dispatch_alone_never_opens_it(desk, quick_breaker):
    desk.sandbox.fault(path=BILLING, kind="503", count=1000)
    desk.post(trial("T1"))
    for _ in range(3):
        desk.deliver()
        desk.clock.shift(2)
    assert open_partners() == set()


@pytest.mark.parametrize("answered, opened", [(False, {"bigdata"}), (True, set())])
def test_it_opens_once_nothing_was_answered_for_5_minutes(desk, settings, answered, opened):
    """The circuit breaker opens if a partner answers nothing for 5 minutes. A few orders cause only a few failures, so
    without this rule their retries would go on for hours and nobody would be told."""
    settings.DISPATCH_RETRY_SECONDS = [150, 160, 1800]
    desk.sandbox.fault(path=BILLING, kind="503", count=1000)
    for number in range(3):
        desk.post(trial(f"T{number}"))
    desk.deliver()
    desk.clock.shift(180)
    if answered:
        desk.sandbox.reset()
        desk.post(trial("T9"))
        Dispatch.objects.filter(state="retrying").update(next_try_at=timezone.now() + datetime.timedelta(seconds=1))
        desk.deliver()
        desk.sandbox.fault(path=BILLING, kind="503", count=1000)
        desk.clock.shift(2)
    desk.deliver()
    assert open_partners() == set()
    desk.deliver(after=180)
    assert open_partners() == opened
    assert set(Incident.objects.filter(code="breaker_open").values_list("partner", flat=True)) == opened


def test_an_answer_in_between_starts_the_count_anew(desk, quick_breaker):
    for number in range(6):
        if number != 3:
            desk.sandbox.fault(path=BILLING, kind="503", count=1)
        desk.post(trial(f"T{number}"))
        Dispatch.objects.filter(state="retrying").update(next_try_at="2030-01-01T00:00Z")
        desk.deliver()
    assert open_partners() == set()


def test_waiting_costs_no_attempt_and_one_probe_goes_out_each_time(desk, quick_breaker):
    fail_until_open(desk)
    calls = len(desk.sandbox.calls(path=BILLING))
    tries = dict(Dispatch.objects.filter(channel="billing").values_list("pk", "tries_left"))
    for _ in range(10):
        desk.deliver(after=16)
    assert len(desk.sandbox.calls(path=BILLING)) == calls + 10
    assert dict(Dispatch.objects.filter(channel="billing").values_list("pk", "tries_left")) == tries
    assert not Dispatch.objects.filter(channel="billing", state="failed").exists()


def test_it_closes_with_the_first_answer_and_everything_goes_out(desk, quick_breaker):
    fail_until_open(desk)
    desk.sandbox.reset()
    desk.deliver(after=16)
    desk.deliver(after=60)
    assert open_partners() == set()
    assert {desk.order(f"T{number}").state for number in range(4)} == {"trialing"}
    assert Incident.objects.get(code="breaker_open").state == "resolved"


def test_the_other_partner_is_not_held_up(desk, quick_breaker, case):
    desk.play_case(case(1))
    desk.at("2023-09-20 19:00:00")
    desk.sandbox.fault(path="/bpm/flows/start", kind="503", count=1000)
    for number in range(4):
        content = case(1)["content"] | {
            "OrderNum": f"S{number}",
            "ProvContent": [{"ProvReq": f"s{number}.example.com"}],
        }
        desk.post(content)
    desk.deliver()
    assert open_partners() == {"bpm"}
    desk.play(trial("T9"))
    assert desk.order("T9").state == "trialing"


def test_a_refusal_is_an_answer(desk, quick_breaker):
    fail_until_open(desk)
    desk.sandbox.reset()
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    desk.deliver(after=16)
    assert Breaker.objects.get(partner="bigdata").failures == 0
