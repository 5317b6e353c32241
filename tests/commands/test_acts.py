"""The commands that make a decision about one order: what they print, and what they do (contract section 5)."""

import pytest

from orders.models import Difference, OrderEvent
from tests import factories
from tests.commands.test_work import run
from tests.flows.conftest import BILLING, BPM, DELETE, active, desk, trialing  # noqa: F401  fixtures
from tests.flows.contents import activation, trial, withdrawal
from tests.flows.test_broken_desks import refused_trial

A, B = "a.example.com", "b.example.com"
WHY = ("--reason", "客户经理确认", "--by", "li")


def told(capsys, *words) -> list[str]:
    """Returns the lines of a command, and asserts that it succeeds."""
    code, out = run(capsys, *words)
    assert code == 0, out
    return out.splitlines()


def reason(number: str, kind: str) -> tuple[str, str]:
    event = OrderEvent.objects.get(order__number=number, kind=kind)
    return event.actor, event.data["reason"]


def test_give_up_says_what_follows_and_does_it(desk, capsys):  # noqa: F811
    refused_trial(desk)
    follows = [
        "T1: The step is given up: Create trial records (create_trial_billing)",
        "T1: 1 record that was never made counts as deleted, and later steps leave it out.",
        "T1: Domains whose records were never made are not on trial; if none is left, the trial ends.",
        "T1: What waits behind it and was never begun is planned anew, then goes on: A1",
    ]
    assert told(capsys, "give_up", "T1", "--dry-run", *WHY) == [*follows, "dry run: nothing was changed"]
    assert (desk.state("T1"), desk.events("T1", "given_up")) == ("failed", [])
    assert told(capsys, "give_up", "T1", "--step", "create_trial_billing", *WHY) == [
        *follows,
        "T1: create_trial_billing given up by command:li (state ended)",
    ]
    assert reason("T1", "given_up") == ("command:li", "客户经理确认")
    desk.deliver()
    assert desk.order("A1").held_because == "trial_closed"


def test_proceed(desk, capsys):  # noqa: F811
    desk.play(trial("T1", A), withdrawal("T1"), activation("A1"))
    assert told(capsys, "proceed", "A1", *WHY) == ["A1: let go on by command:li (state in_progress)"]
    desk.deliver()
    assert desk.state("A1") == "active"
    assert reason("A1", "proceeded") == ("command:li", "客户经理确认")


def test_name_domains(desk, capsys):  # noqa: F811
    desk.play(activation("A1", B), activation("A2"), trial("T1", A))
    line = "A2: 2 domains named by command:li (state in_progress)"
    assert told(capsys, "name_domains", "A2", "n.example.com", "例子.cn", *WHY) == [line]
    assert desk.order("A2").domains.count() == 2
    code, out = run(capsys, "name_domains", "A2", "*.example.com", *WHY)
    assert (code, out) == (1, "domain '*.example.com' a wildcard is not allowed")


def test_withdraw_as_bboss_would(desk, capsys, active):  # noqa: F811
    follows = [
        "A1: 1 billing record will be deleted.",
        "A1: 1 trial record will be restored.",
        "A1: Steps that were never begun are closed.",
        "A1: The order ends as withdrawn, for good.",
        "A1: The process in BPM is not ended by this: tell the people there.",
    ]
    assert told(capsys, "withdraw", "A1", "--dry-run", *WHY) == [*follows, "dry run: nothing was changed"]
    assert desk.state("A1") == "active"
    assert told(capsys, "withdraw", "A1", *WHY) == [*follows, "A1: withdrawn by command:li (state compensating)"]
    desk.deliver()
    assert (desk.state("A1"), desk.state("T1")) == ("withdrawn", "trialing")
    assert reason("A1", "withdrawn") == ("command:li", "客户经理确认")


def test_a_late_withdrawal_needs_its_choice(desk, capsys, active):  # noqa: F811
    desk.at("2023-10-20 09:00:00")
    code, out = run(capsys, "withdraw", "A1", "--dry-run", *WHY)
    assert code == 1
    assert "(--cancel) or deleted (--delete)" in out
    assert told(capsys, "withdraw", "A1", "--cancel", *WHY)[0] == (
        "A1: 1 billing record will be cancelled from now on; what was used until now is billed."
    )
    desk.deliver()
    assert (desk.state("A1"), desk.records("A1"), desk.state("T1")) == ("withdrawn", {A: "cancelled"}, "ended")


def test_a_trial_that_is_taken_is_not_withdrawn(desk, capsys, active):  # noqa: F811
    assert run(capsys, "withdraw", "T1", *WHY) == (1, "an activation holds trial T1: withdraw that first")


def test_decide(desk, capsys):  # noqa: F811
    desk.play(trial("T1", A), activation("A0"), activation("A1", B))
    desk.decided("A1", "reject")
    desk.approve("A1", "pass", "bpm-1-2")
    assert desk.state("A1") == "rejected"
    [line] = told(capsys, "decide", "A1", "bpm-1-2", *WHY)
    assert line.startswith("A1: bpm-1-2 made the decision that counts by command:li (state ")
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("A1")) == ("active", [B])
    assert reason("A1", "decided") == ("command:li", "客户经理确认")
    assert run(capsys, "decide", "A1", "nonsense", *WHY)[0] == 1


def test_a_lost_record_of_bpm_is_entered_as_staffs(desk, capsys):  # noqa: F811
    desk.play(trial("T1", A), activation("A0"), activation("A1", B))
    told(capsys, "decide", "A1", "pass", *WHY)
    desk.deliver()
    assert desk.state("A1") == "active"
    assert desk.order("A1").approvals.get().source == "staff"


def test_take(desk, capsys, trialing):  # noqa: F811
    """Our record of a running trial is deleted and the big-data side's is live. `take` makes ours live too."""
    desk.order("T1").billing_records.update(state="deleted")
    assert run(capsys, "reconcile", "T1")[0] == 1
    assert desk.troubles("T1") == ["difference"]
    line = "T1: the big-data side's books taken as ours by command:li (state trialing)"
    assert told(capsys, "take", "T1", *WHY) == [line]
    assert (desk.records("T1"), desk.troubles("T1")) == ({A: "live"}, [])
    assert reason("T1", "taken") == ("command:li", "客户经理确认")
    code, out = run(capsys, "take", "T1", "--step", "create_trial_billing", *WHY)
    assert (code, out) == (1, "no step create_trial_billing of order T1 stopped because the partner acted before")


def test_accept(desk, capsys, active):  # noqa: F811
    store = desk.sandbox.partners.store
    store.delete_record(store.records("A1")[0])
    assert run(capsys, "reconcile", "A1")[0] == 1
    line = "A1: difference accepted by command:li (state active)"
    assert told(capsys, "accept", "A1", "difference", *WHY) == [line]
    assert desk.troubles("A1") == []
    assert Difference.objects.get().state == "accepted"
    assert reason("A1", "accepted") == ("command:li", "客户经理确认")
    assert run(capsys, "stuck") == (0, "0 orders need somebody\n")
    code, out = run(capsys, "accept", "A1", *WHY)
    assert (code, out) == (1, "order A1 has no incident or difference that can be accepted")


def test_a_number_that_we_do_not_know_is_accepted_too(desk, capsys):  # noqa: F811
    missing = {"product_id": "", "domain": "", "detail": {"ours": "none", "theirs": "missing"}}
    factories.DifferenceFactory(order=None, job_id="X9", kind="unknown_order", **missing)
    assert run(capsys, "stuck")[0] == 1
    assert told(capsys, "accept", "X9", *WHY) == ["X9: what differs accepted by command:li"]
    assert run(capsys, "stuck")[0] == 0


def test_a_partner_that_is_silent_changes_nothing(desk, capsys, trialing):  # noqa: F811
    desk.sandbox.fault(path="*", kind="503", count=9)
    code, out = run(capsys, "take", "T1", *WHY)
    assert code == 1
    assert out.startswith("the big-data side does not answer (http_503)")


ACTS = {
    "give_up": [],
    "take": [],
    "accept": [],
    "decide": ["pass"],
    "withdraw": [],
    "proceed": [],
    "name_domains": ["n.example.com"],
}


@pytest.mark.parametrize("name", ACTS)
def test_without_a_reason_or_an_order_nothing_is_done(db, capsys, name):
    more = ACTS[name]
    assert run(capsys, name, "NOBODY", *more, *WHY)[1].startswith("order NOBODY is unknown")
    assert run(capsys, name, "NOBODY", *more, "--reason", "  ") == (1, "a reason is needed")
