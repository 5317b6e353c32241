"""Records and calls of unknown outcome (contract 3.9, rules 5 and 6)."""

import pytest
from django.utils import timezone

from orders.models import Dispatch, TrialClaim
from orders.undoing.by_staff import compensate
from orders.undoing.start import close_abandoned
from tests.flows.conftest import BILLING, BPM, DELETE, QUERY
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"


@pytest.fixture
def uncertain(desk, settings):
    """An activation whose create acted at each try, but was never answered."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(activation("A1"))
    # the create is still being retried, so the records are not unknown yet
    assert desk.records("A1") == {A: "to_send"}


def test_a_record_is_unknown_until_it_was_deleted_and_looked_for_twice(desk, uncertain):
    """Contract 3.9 (6), Unknown: the records are deleted, and queried at once and after 10 minutes."""
    desk.wait()
    gave_up = timezone.now()
    assert desk.records("A1") == {A: "unknown"}
    assert [call["path"] for call in desk.sandbox.calls()][-3:] == [DELETE, QUERY, BILLING]
    assert desk.alive_there("T1") == [A]
    assert (desk.state("A1"), desk.troubles("A1")) == ("compensating", ["broken"])
    assert TrialClaim.objects.filter(released_at=None).exists()
    desk.wait()
    assert (timezone.now() - gave_up).total_seconds() == 600
    assert desk.sent(QUERY) == [{"jobId": "A1"}] * 2
    assert len(desk.sent(DELETE)) == 1
    assert (desk.records("A1"), desk.state("A1")) == ({A: "deleted"}, "failed")
    assert not TrialClaim.objects.filter(released_at=None).exists()
    assert not desk.wait()


def test_what_is_there_after_all_is_deleted_again(desk, uncertain):
    """Contract 3.9 (6): the slow partner carried out the create after the deletion. The second query finds the record,
    and it is deleted again."""
    late = desk.held_there("A1")[A]
    desk.wait()
    assert desk.held_there("A1") == {}
    desk.sandbox.partners.store.put_record(late)
    desk.wait()
    assert desk.held_there("A1") == {}
    assert len(desk.sent(DELETE)) == 2
    assert len({call["key"] for call in desk.sandbox.calls(path=DELETE)}) == 2
    assert (desk.records("A1"), desk.state("A1")) == ({A: "deleted"}, "failed")


@pytest.mark.parametrize("which", [0, 1])
def test_as_long_as_nobody_answers_the_question_the_claim_is_kept(desk, uncertain, which):
    """Contract 3.9 (6): while a record is unknown, the incident stays open and the claim is not released. So the claim
    is kept as long as the query has no answer."""
    if which:
        desk.wait()
    desk.sandbox.fault(path=QUERY, kind="503", count=2)
    for _ in range(6):
        desk.wait()
    assert desk.step("A1", "verify_deleted", undo=True).state in {"failed", "waiting"}
    assert (desk.state("A1"), desk.records("A1")) == ("compensating", {A: "unknown"})
    assert set(desk.troubles("A1")) == {"broken", "http_503"}
    desk.play(activation("A2"))
    assert desk.order("A2").held_because == "trial_busy"


@pytest.mark.parametrize("seconds, looks", [(240, 2), (1800, 1)])
def test_the_last_look_counts_from_the_time_out(desk, uncertain, seconds, looks):
    """Contract 3.9 (6): the ten minutes count from the time-out of the unanswered create, however long the deletion
    takes. If the ten minutes are over when the deletion is done, the query at once is the only one."""
    desk.sandbox.fault(path=DELETE, kind="503", retry_after=seconds)
    desk.wait()
    gave_up = timezone.now()
    while desk.step("A1", "delete_billing", undo=True).state != "done":
        desk.wait()
    assert (timezone.now() - gave_up).total_seconds() >= seconds
    assert len(desk.sent(QUERY)) == 1
    if looks == 2:
        assert (desk.state("A1"), desk.records("A1")) == ("compensating", {A: "unknown"})
        desk.wait()
        assert (timezone.now() - gave_up).total_seconds() == 600
    assert desk.sent(QUERY) == [{"jobId": "A1"}] * looks
    assert (desk.state("A1"), desk.records("A1")) == ("failed", {A: "deleted"})
    assert not desk.wait()


def test_an_uncertain_cancel_is_restored(desk, settings, trialing):
    settings.DISPATCH_RETRY_SECONDS = [30]
    before = desk.held_there("T1")
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(activation("A1"))
    desk.wait_out()
    assert desk.held_there("T1") == before
    assert (desk.records("T1"), desk.state("T1"), desk.state("A1")) == ({A: "live"}, "trialing", "failed")
    assert desk.sent(DELETE) == []


def in_the_air(desk):
    """Returns the work of a create that has no answer yet, and whose activation staff compensate."""
    desk.play(trial("T1", A))
    desk.post(activation("A1"))
    for earlier in desk.claim():  # the traffic step and the cancel of the trial's records
        desk.end(earlier)
    [work] = desk.claim()
    assert work.step == "create_billing"
    desk.staff(compensate, "A1")
    return work


@pytest.mark.parametrize("result, undone", [("ok", ["delete", "create"]), ("refused", ["create"])])
def test_a_delete_waits_for_the_answer_of_the_call_in_the_air(desk, result, undone):
    """Contract 3.9 (5): a deletion is due only when no live lease touches its records."""
    work = in_the_air(desk)
    before = len(desk.billed())
    assert (desk.sent(DELETE), desk.state("A1")) == ([], "compensating")
    desk.end(work, result, code="" if result == "ok" else "code_400")
    desk.wait_out()
    assert [row[0] for row in desk.billed()[before:]] == undone
    assert (desk.state("A1"), desk.alive_there("A1")) == ("failed", [])


@pytest.mark.parametrize("how", ["retry", "dead"])
def test_an_unknown_outcome_is_repeated_under_the_same_key_before_the_delete(desk, how):
    """Contract 3.9 (5): a call of unknown outcome is repeated under the same key before the deletion."""
    work = in_the_air(desk)
    if how == "retry":
        desk.end(work, "retry", code="timeout", unknown=True)
    assert desk.wait()
    call = desk.sandbox.calls(path=BILLING)[1]
    assert (call["key"], call["body"]["productInfos"][0]["jobId"]) == (work.key, "A1")
    desk.wait_out()
    assert (desk.held_there("A1"), desk.state("A1")) == ({}, "failed")


def test_a_call_that_was_not_begun_is_left_out(desk):
    work = in_the_air(desk)
    desk.end(work, "handed_back")
    desk.deliver()
    assert (desk.step("A1", "create_billing").state, desk.sent(DELETE)) == ("closed", [])
    assert desk.state("A1") == "failed"
    assert not desk.wait()


@pytest.mark.parametrize("result", ["ok", "retry", "refused"])
def test_a_bpm_call_in_the_air_holds_up_no_undoing_and_its_end_troubles_nobody(desk, result, trialing):
    """A withdrawal does not wait for BPM's answer, and the answer opens no incident. If BPM has begun a process, its
    number is stored."""
    desk.post(activation("A1"))
    work = desk.in_the_air()
    desk.play(withdrawal("A1"))
    assert desk.state("A1") == "withdrawn"
    desk.end(work, result, **({"data": {"process": "bpm-77"}} if result == "ok" else {"code": "http_503"}))
    assert (desk.step("A1", "start_bpm").state == "closed") == (result != "ok")
    desk.deliver()
    assert (desk.state("A1"), desk.order("A1").bpm_process) == ("withdrawn", "bpm-77" if result == "ok" else "")
    assert (desk.sent(BPM), desk.troubles("A1")) == ([], [])


def test_a_dead_workers_bpm_call_of_an_undone_order_is_closed_by_the_sweep(desk, trialing):
    desk.post(activation("A1", start="20230930"))
    desk.in_the_air()
    desk.post(withdrawal("A1"))
    assert close_abandoned(now=timezone.now()) == 0  # the lease of the BPM step is still live
    desk.sweep(after=61)
    row = desk.step("A1", "start_bpm")
    assert (row.state, list(row.tries.values_list("outcome", flat=True))) == ("closed", ["lost"])
    assert desk.sent(BPM) == []
    assert not Dispatch.objects.filter(state="sending").exists()


@pytest.mark.parametrize("result", ["ok", "retry"])
def test_a_mail_in_flight_does_no_harm(desk, result, trialing):
    desk.post(activation("A1"))
    work = desk.in_the_air("mail")
    desk.staff(compensate, "A1")
    assert desk.state("A1") == "failed"
    desk.end(work, result, code="" if result == "ok" else "smtp_451")
    assert desk.step("A1", "mail_sent_to_bpm").state == ("done" if result == "ok" else "retrying")
    assert desk.wait() == (result == "retry")
    assert (desk.step("A1", "mail_sent_to_bpm").state, desk.state("A1")) == ("done", "failed")
    assert not desk.wait()


def test_an_uncertain_change_is_made_sure_of_before_it_is_undone(desk, trialing):
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(change("C1", A, B), withdrawal("C1"))
    assert desk.state("C1") == "compensating"
    desk.wait_out()
    assert [row[0] for row in desk.billed()] == ["create", "create", "create", "cancel"]
    assert (desk.state("C1"), desk.alive_there("T1")) == ("withdrawn", [A])


def test_a_refused_repeat_of_a_call_that_acted_is_looked_up(desk, settings, trialing):
    """Contract 7.2: the first answer was lost and the repeat was refused. The big-data side's records show that the
    call acted."""
    settings.DISPATCH_RETRY_SECONDS = [1, 1]
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)  # lets the cancel of the trial's records pass
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(activation("A1"))
    assert desk.alive_there("A1") == [A]
    desk.deliver(after=5)
    assert desk.sent(QUERY)[0] == {"jobId": "A1"}
    assert (desk.state("A1"), desk.alive_there("A1"), desk.troubles("A1")) == ("active", [A], [])
