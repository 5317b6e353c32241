"""Staff pause a partner (contract 3.5; section 5, `pause`). The partner's steps stay due, and go out after the
pause."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.models import Breaker
from integrations.tasks import nightly_usage, reconcile, sweep
from notifications.models import Mail
from orders.actions.take import take
from orders.models import Dispatch, Incident, Order, OrderEvent, Pause, Reconciliation
from orders.pauses.pause_and_resume import end_pauses, pause_partner
from orders.sending.reread_answers import resume_partner
from orders.sending.resend import Selection, judge_selection
from orders.texts.errors import NotAllowedError
from project.observability.desk_snapshot import DeskSnapshot
from tests.conftest import shanghai
from tests.flows.conftest import BILLING, BPM, code_of
from tests.flows.contents import activation, trial
from tests.flows.test_breaker import fail_until_open, quick_breaker  # noqa: F401

WHY = {"reason": "升级维护", "by": "command:root"}


def pause(partner="bigdata", until=None):
    return pause_partner(partner=partner, now=timezone.now(), until=until, **WHY)


def resume(partner="bigdata"):
    return resume_partner(partner=partner, by="command:root", now=timezone.now())


def later(**span):
    return timezone.now() + datetime.timedelta(**span)


def test_orders_are_taken_and_nothing_arrives_until_it_is_resumed(desk):
    pause()
    for number in ("T1", "T2", "T3"):
        desk.play(trial(number, f"{number.lower()}.example.com"))
    assert (desk.sandbox.calls(), desk.steps("T1")) == ([], ["create_trial_billing:due"])
    desk.sweep(after=3 * 86400)
    row = desk.step("T1", "create_trial_billing")
    assert (row.attempts, row.tries_left, row.frozen_at) == (0, None, None)
    assert resume().waiting == 3
    desk.deliver()
    assert [desk.state(number) for number in ("T1", "T2", "T3")] == ["trialing"] * 3
    assert len(desk.sent(BILLING)) == 3


def test_a_step_that_was_being_retried_keeps_its_retries(desk):
    desk.sandbox.fault(path=BILLING, kind="503", count=1)
    desk.play(trial("T1", "t1.example.com"))
    before = desk.step("T1", "create_trial_billing")
    pause()
    desk.sweep(after=86400)
    after = desk.step("T1", "create_trial_billing")
    assert (after.state, after.attempts, after.tries_left) == ("retrying", 1, before.tries_left)
    resume()
    desk.deliver()
    assert desk.state("T1") == "trialing"


def test_the_other_partner_goes_on(desk):
    desk.play(trial("T1", "t1.example.com"))
    pause("bpm")
    desk.play(activation("A1", of="T1"))
    assert (desk.steps("A1")[-1], desk.sent(BPM)) == ("start_bpm:due", [])
    assert desk.alive_there("A1") == ["t1.example.com"]
    desk.play(trial("T2", "t2.example.com"))
    assert desk.state("T2") == "trialing"


def test_mails_wait_too(desk):
    desk.play(trial("T1", "t1.example.com"))
    pause("mail")
    desk.play(activation("A1", of="T1"))
    assert desk.state("A1") == "active"
    assert Mail.objects.filter(state="due").exists()
    resume("mail")
    desk.deliver()
    assert not Mail.objects.all().exclude(state="done").exists()


def test_no_probe_of_the_breaker_goes_out(desk, quick_breaker):  # noqa: F811
    fail_until_open(desk)
    calls, probe = len(desk.sandbox.calls()), Breaker.objects.get().probe_at
    pause()
    desk.deliver(after=600)
    assert len(desk.sandbox.calls()) == calls
    assert Breaker.objects.get().probe_at == probe


def test_a_call_in_the_air_ends_as_ever_and_nothing_more_is_claimed_by_hand(desk):
    desk.post(trial("T1", "t1.example.com"))
    (work,) = desk.claim()
    pause()
    desk.end(work)
    assert desk.state("T1") == "trialing"
    desk.post(trial("T2", "t2.example.com"))
    assert desk.claim("bigdata", "bpm", "mail", "files") == []


def test_it_goes_on_by_itself(desk):
    pause(until=later(hours=1))
    desk.play(trial("T1", "t1.example.com"))
    desk.sweep(after=3599)
    assert desk.sandbox.calls() == []
    desk.deliver(after=1)
    assert desk.state("T1") == "trialing"
    end_pauses(now=timezone.now())
    row = Pause.objects.get()
    assert (row.resumed_at, row.resumed_by) == (row.until, "system")
    event = OrderEvent.objects.get(kind="partner_resumed")
    assert (event.actor, event.data["partner"]) == ("system", "bigdata")
    assert end_pauses(now=timezone.now()) == []


def test_one_pause_a_partner_and_its_history(desk):
    first = pause()
    desk.clock.shift(60)
    again = pause_partner(
        partner="bigdata", reason="再延一小时", by="command:li", now=timezone.now(), until=later(hours=1)
    )
    assert (again.pk, again.since, again.paused_by, again.reason) == (
        first.pk,
        first.since,
        "command:root",
        "再延一小时",
    )
    resume()
    pause()
    assert Pause.objects.count() == 2
    kinds = list(OrderEvent.objects.filter(order=None).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["partner_paused", "partner_paused", "partner_resumed", "partner_paused"]


@pytest.mark.parametrize(
    "wrong", [{"partner": "files"}, {"partner": "x"}, {"reason": "  "}, {"until": shanghai("2023-09-20 18:54:36")}]
)
def test_what_can_not_be_paused(db, clock, wrong):
    with pytest.raises(NotAllowedError):
        pause_partner(**{"partner": "bigdata", "until": None, "now": timezone.now(), **WHY, **wrong})
    assert not Pause.objects.exists()


def test_what_is_not_paused_is_not_resumed(db, clock):
    with pytest.raises(NotAllowedError):
        resume()
    pause(until=later(seconds=5))
    clock.shift(5)
    with pytest.raises(NotAllowedError):
        resume()
    assert Pause.objects.get().resumed_by == "system"


def test_start_days_slept_through_are_named(desk, capsys):
    desk.play(trial("T1", "t1.example.com"), activation("A1", of="T1", start="20230922"))
    desk.play(trial("T2", "t2.example.com"), activation("A2", of="T2", start="20230924"))
    pause()
    desk.sweep("2023-09-22 09:00:00")
    assert desk.step("A1", "cancel_trial_billing").state == "due"
    call_command("resume", "bigdata", "--by", "li")
    assert "start days slept through: A1\n" in capsys.readouterr().out
    assert OrderEvent.objects.get(kind="partner_resumed").data["slept"] == ["A1"]
    assert desk.events("A1", "start_slept_through") == [{"partner": "bigdata"}]
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("T1")) == ("active", [])


def test_an_order_of_today_has_slept_through_nothing(desk):
    pause()
    desk.play(trial("T1", "t1.example.com"), activation("A1", of="T1"))
    desk.clock.shift(86400)
    assert resume().slept == []


# --- nothing is late, nothing has failed


def test_what_waits_is_not_overdue(desk, client):
    pause()
    desk.post(trial("T1", "t1.example.com"))
    desk.clock.shift(7200)
    assert DeskSnapshot(timezone.now()).oldest_due["bigdata"] == 0
    assert client.get("/readyz").json()["oldest_due_seconds"] == 0
    assert 'desk_oldest_due_seconds{partner="bigdata"} 0.0' in client.get("/metrics").content.decode().splitlines()
    resume()
    desk.clock.shift(7)
    assert DeskSnapshot(timezone.now()).oldest_due["bigdata"] == 7


def test_the_one_that_goes_on_may_be_late_meanwhile(desk):
    pause()
    desk.post(trial("T1", "t1.example.com"))
    Dispatch.objects.create(
        order=desk.order("T1"),
        step="start_bpm",
        channel="bpm",
        position=1,
        state="due",
        next_try_at=timezone.now(),
        created_at=timezone.now(),
    )
    desk.clock.shift(300)
    assert DeskSnapshot(timezone.now()).oldest_due == {"bigdata": 0.0, "bpm": 300.0, "mail": 0.0, "files": 0.0}


def incident():
    return Incident.objects.filter(code="partner_paused").first()


def mails():
    return list(Mail.objects.filter(kind="mail_incident").order_by("pk").values_list("order__number", flat=True))


@pytest.mark.whole
def test_a_pause_without_an_end_reminds_every_four_hours_and_counts_as_no_failure(desk):
    pause()
    desk.post(trial("T1", "t1.example.com"))
    desk.post(trial("T2", "t2.example.com"))
    desk.post(trial("T3", "t3.example.com", EnterpriseID="200A23100079275183"))
    desk.clock.shift(4 * 3600 - 1)
    sweep()
    assert incident() is None
    desk.clock.shift(1)
    sweep()
    sweep()
    assert (incident().partner, incident().state, mails()) == ("bigdata", "open", ["T1", "T3"])
    assert code_of("status") == 1  # the only cause is the open incident
    call_command("stuck")
    assert desk.state("T1") == "in_progress"
    desk.clock.shift(4 * 3600)
    sweep()
    assert mails() == ["T1", "T3"] * 2
    assert Incident.objects.count() == 1
    resume()
    assert incident().state == "resolved"
    desk.deliver()
    assert Mail.objects.filter(kind="mail_incident_over", state="done").count() == 2
    assert {desk.state(number) for number in ("T1", "T2", "T3")} == {"trialing"}


def test_it_reminds_where_nothing_waits(desk):
    pause()
    desk.clock.shift(4 * 3600)
    sweep()
    assert (incident().state, mails()) == ("open", [])
    resume()
    assert incident().state == "resolved"


def test_a_pause_with_an_end_reminds_nobody(desk):
    pause(until=later(hours=30))
    desk.post(trial("T1", "t1.example.com"))
    desk.clock.shift(20 * 3600)
    sweep()
    assert incident() is None


# --- calls that are not in the outbox


def test_questions_are_not_asked(desk):
    desk.play(trial("T1", "t1.example.com"))
    calls = len(desk.sandbox.calls())
    pause()
    for words in (["reconcile"], ["fetch_usage"], ["take", "T1", "--reason", "x"]):
        with pytest.raises(
            CommandError, match=r"bigdata is paused since 2023-09-20 18:54 by command:root \(升级维护\)"
        ):
            call_command(*words)
    with pytest.raises(NotAllowedError):
        take(number="T1", reason="x", by="staff:li", now=timezone.now())
    reconcile()
    nightly_usage()
    desk.deliver()
    assert len(desk.sandbox.calls()) == calls
    assert "bigdata is paused" in Reconciliation.objects.get().error
    assert desk.step("T1", "fetch_usage").state == "due"


def test_a_comparison_under_way_stops(desk, monkeypatch):
    for number in ("T1", "T2", "T3"):
        desk.play(trial(number, f"{number.lower()}.example.com"))
    monkeypatch.setattr("integrations.bigdata.reconciliation.ORDERS_A_BATCH", 1)
    monkeypatch.setattr("integrations.bigdata.reconciliation.Comparison._add_counts", lambda run: pause())
    reconcile()
    row = Reconciliation.objects.get()
    assert row.finished_at
    assert row.error.startswith("gave up: bigdata is paused")
    assert len(desk.sandbox.calls(path="/bigdata/productInfos/query")) < 3


def test_a_resend_says_that_it_waits(desk, capsys):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", "t1.example.com"))
    pause()
    (judged,) = judge_selection(Selection(numbers=("T1",)))
    assert (judged.verdict, judged.why) == ("paused", "bigdata is paused; it goes out when it is resumed")
    call_command("resend", "T1", "--wait")
    assert "will wait (bigdata is paused; it goes out when it is resumed)" in capsys.readouterr().out
    resume()
    desk.deliver()
    assert desk.state("T1") == "trialing"


# --- the output of commands and pages


def test_the_commands_say_what_happens(desk, capsys, settings):
    settings.PARTNER_RATE = 2
    for number in ("T1", "T2", "T3"):
        desk.post(trial(number, f"{number.lower()}.example.com"))
    call_command("pause", "bigdata", "--reason", "升级维护", "--until", "2023-09-20T22:00", "--by", "li")
    assert capsys.readouterr().out == (
        "bigdata is paused since 2023-09-20 18:54 until 2023-09-20 22:00 by command:li (升级维护): "
        "3 steps wait, 2 s to work off at PARTNER_RATE\n"
    )
    call_command("show", "T1")
    told = "  waits for the pause of bigdata since 2023-09-20 18:54 until 2023-09-20 22:00 by command:li (升级维护)"
    assert told in capsys.readouterr().out.splitlines()
    call_command("deliver")
    assert "bigdata is paused since 2023-09-20 18:54" in capsys.readouterr().out
    call_command("resume", "bigdata", "--by", "li")
    assert capsys.readouterr().out == "bigdata goes on: 3 steps wait, 2 s to work off at PARTNER_RATE\n"


@pytest.mark.parametrize(
    "words",
    [
        ["pause", "files", "--reason", "x"],
        ["pause", "bigdata"],
        ["pause", "bigdata", "--reason", " "],
        ["pause", "bigdata", "--reason", "x", "--until", "2023-09-20"],
        ["pause", "bigdata", "--reason", "x", "--until", "2023-13-20T10:00"],
        ["pause", "bigdata", "--reason", "x", "--until", "0001-01-01T00:00"],
        ["pause", "bigdata", "--reason", "x", "--until", "2023-09-20T18:00"],
        ["resume", "bigdata"],
        ["resume", "x"],
    ],
)
def test_wrong_arguments(db, clock, words):
    assert code_of(*words) == 1
    assert not Pause.objects.exists()
    assert not Order.objects.exists()
