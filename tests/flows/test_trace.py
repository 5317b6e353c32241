"""The trace of an order from BBOSS's call to the partners' calls, in the database, the log, the order's page and
`show`."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from integrations.bboss.sample_envelope import signed_envelope
from integrations.outbound import http_client
from orders.models import Attempt, Order
from tests.flows.conftest import BILLING
from tests.processes.orders import trial
from tests.test_metrics import counted

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def headers(monkeypatch):
    """Collects the headers of each call to a partner."""
    sent, exchange = [], http_client._exchange

    def note(request, *more):
        sent.append(request.headers)
        return exchange(request, *more)

    monkeypatch.setattr(http_client, "_exchange", note)
    return sent


def post(desk, content, **more):
    envelope = signed_envelope(content, now=timezone.now(), trans_ido="a1b2")
    desk.client.post("/api/bboss/orders", json.dumps(envelope), content_type="application/json", headers=more)


def test_it_goes_from_the_caller_to_the_partners_and_can_be_seen(desk, headers, lines, admin_client, capsys):
    content = trial(1)
    post(desk, content, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    desk.deliver()
    order = Order.objects.get()
    assert order.trace == TRACE
    attempts = list(Attempt.objects.filter(dispatch__order=order))
    assert {attempt.trace for attempt in attempts} == {TRACE}
    assert headers
    spans = {f"00-{TRACE}-{attempt.request_id.hex[:16]}-01" for attempt in attempts}
    assert {one["traceparent"] for one in headers} <= spans
    assert TRACE in admin_client.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    call_command("show", order.number)
    assert f"  trace {TRACE}" in capsys.readouterr().out
    assert {line["trace"] for line in lines() if line.get("order") == order.number} == {TRACE}


def test_a_call_to_a_partner_is_one_line(desk, lines):
    desk.sandbox.fault(path=BILLING, kind="503", count=1)
    post(desk, trial(1))
    desk.deliver()
    attempts = {attempt.request_id.hex: attempt for attempt in Attempt.objects.select_related("dispatch")}
    told = [line for line in lines() if "partner" in line]
    assert len(told) == sum(attempt.dispatch.channel != "files" for attempt in attempts.values())
    for line in told:
        attempt = attempts[line["request"]]
        assert line["order"] == "100T0001"
        assert (line["step"], line["key"]) == (attempt.dispatch.step, str(attempt.dispatch.key))
        assert (line["attempt"], line["trace"]) == (1, attempt.trace)
        assert line["seconds"] >= 0
        assert line["outcome"] in {"done", "refused", "retried", "unknown"}
    assert not [line for line in lines() if "Traceback" in line["message"]]


def test_an_order_that_nobody_traces_gets_a_trace_of_its_own(desk):
    post(desk, trial(1), traceparent="rubbish")
    assert len(Order.objects.get().trace) == 32


def test_calls_are_counted_by_what_became_of_them(desk, fresh_gauges):
    with counted() as rose:
        desk.sandbox.fault(path=BILLING, kind="503", count=1)
        desk.play(trial(1))
        desk.clock.shift(40)
        desk.claim(lease=60)  # a worker claims the step and dies
        desk.deliver(after=70)
    outcomes = {"done": 1, "unknown": 1, "lost": 1}
    for word, number in outcomes.items():
        name = f'desk_calls_total{{outcome="{word}",partner="bigdata",step="create_trial_billing"}}'
        assert rose[name] == number, word
    assert rose['desk_call_seconds_count{partner="bigdata",step="create_trial_billing"}'] == 2
