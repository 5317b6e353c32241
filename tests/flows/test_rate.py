"""PARTNER_RATE limits the calls of a worker process to each partner (contract 3.5 and section 4)."""

import threading
import time

import pytest
from django.utils import timezone

from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.delivery import loop
from integrations.delivery.loop import Drain
from integrations.outbound import partner_rate
from notifications.models import Mail
from orders.mails.mail_creation import queue_mail
from orders.models import Attempt, Dispatch
from tests.factories import OrderFactory
from tests.flows.conftest import BILLING
from tests.flows.contents import trial
from tests.flows.test_mail import smtp  # noqa: F401  a fixture

EARLY = 0.05  # seconds by which threads and the network may bring two calls closer together


@pytest.fixture(autouse=True)
def forget():
    partner_rate._forget()


@pytest.fixture
def arrivals(desk, monkeypatch):
    """Returns the times at which calls arrive at the sandbox, by time.monotonic, because the desk's clock stands
    still."""
    found, answer = [], desk.sandbox.partners.answer
    monkeypatch.setattr(desk.sandbox.partners, "answer", lambda call: (found.append(time.monotonic()), answer(call))[1])
    return found


def spaced(moments, least, *, since):
    """Checks that no call comes before its turn, counted from the time when the first could go out. On a busy machine
    a call may come late."""
    early = [place * least - (moment - since) for place, moment in enumerate(moments)]
    assert max(early) < EARLY, early


def due(desk, number):
    for place in range(number):
        desk.post(trial(f"T{place}", f"t{place}.example.com"))


def test_calls_are_spaced_and_all_go_out(desk, arrivals, settings):
    settings.PARTNER_RATE = 10
    due(desk, 8)
    began = time.monotonic()
    desk.deliver()
    assert {desk.state(f"T{place}") for place in range(8)} == {"trialing"}
    assert len(desk.sent(BILLING)) == 8
    spaced(arrivals, 0.1, since=began)


def test_one_a_second(desk, arrivals, settings):
    settings.PARTNER_RATE = 1
    due(desk, 3)
    began = time.monotonic()
    desk.deliver()
    assert len(arrivals) == 3
    spaced(arrivals, 1, since=began)


def test_mails_are_spaced_as_well(desk, smtp, settings, monkeypatch):  # noqa: F811
    """Mails have an outbox of their own, and the same limit applies to them (contract 3.12)."""
    arrivals, send = [], loop.send_step
    monkeypatch.setattr(loop, "send_step", lambda work: (arrivals.append(time.monotonic()), send(work))[1])
    settings.PARTNER_RATE = 10
    order = OrderFactory()
    for place in range(6):
        queue_mail(order, "mail_sent_to_bpm", cause=f"{place}", now=timezone.now())
    began = time.monotonic()
    desk.deliver()
    assert (len(smtp.got), set(Mail.objects.values_list("state", "attempts"))) == (6, {("done", 1)})
    assert len(arrivals) == 6
    spaced(arrivals, 0.1, since=began)


def test_mails_without_a_turn_are_handed_back(desk, smtp, settings):  # noqa: F811
    settings.PARTNER_RATE = 1
    order = OrderFactory()
    for place in range(4):
        queue_mail(order, "mail_sent_to_bpm", cause=f"{place}", now=timezone.now())
    assert Drain(seconds=0.5, linger=False).run().again
    assert sorted(Mail.objects.values_list("state", "attempts", "tries_left")) == [
        *[("done", 1, None)],
        *[("due", 0, None)] * 3,
    ]


def test_no_more_is_claimed_than_goes_out_within_a_second(desk, settings, monkeypatch):
    """No more calls are claimed than the rate allows within a second, so that no lease runs out while its call waits
    for its turn."""
    settings.PARTNER_RATE = 2
    due(desk, 6)
    seen, really = [], Drain._collect

    def collect(run):
        seen.append(sum(not call.sent for call in run.calls.values()))
        really(run)

    monkeypatch.setattr(Drain, "_collect", collect)
    desk.deliver()
    assert max(seen) <= 2
    assert not Attempt.objects.exclude(outcome="ok").exists()


def test_a_run_that_ends_hands_back_what_has_had_no_turn(desk, settings):
    settings.PARTNER_RATE = 1
    due(desk, 4)
    run = Drain(seconds=0.5, linger=False)
    report = run.run()
    assert report.again
    assert Dispatch.objects.filter(channel="billing", state="done").count() == 1
    waiting = Dispatch.objects.filter(channel="billing").exclude(state="done")
    assert {(row.state, row.attempts, row.tries_left) for row in waiting} == {("due", 0, None)}


def test_a_question_counts_as_well(desk, arrivals, settings):
    due(desk, 4)
    desk.deliver()
    arrivals.clear()
    settings.PARTNER_RATE = 5
    began = time.monotonic()
    Comparison(Scope(), by="schedule").run()
    assert len(arrivals) == 4
    spaced(arrivals, 0.2, since=began)


def test_the_second_call_of_a_step_goes_first(settings):
    settings.PARTNER_RATE = 5
    assert partner_rate.wait_for_slot("bigdata")
    told = []

    def ask(name, urgent):
        partner_rate.wait_for_slot("bigdata", urgent=urgent)
        told.append(name)

    threads = [threading.Thread(target=ask, args=(place, False)) for place in range(3)]
    threads.append(threading.Thread(target=ask, args=("second", True)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told[0] == "second"


def test_who_would_be_too_late_has_no_turn(settings):
    settings.PARTNER_RATE = 0.05
    assert partner_rate.wait_for_slot("bpm")
    began = time.monotonic()
    assert not partner_rate.wait_for_slot("bpm", latest=began + 10)
    assert time.monotonic() - began < 10, "told at once, not when it is too late"
    assert partner_rate.wait_for_slot("bigdata", latest=began + 10), "each partner has its own"


def test_no_bound(settings):
    settings.PARTNER_RATE = 0
    began = time.monotonic()
    assert all(partner_rate.wait_for_slot("bpm", latest=began) for _ in range(1000))
