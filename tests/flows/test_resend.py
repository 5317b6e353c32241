"""The one implementation of `resend`: it first decides about each step, then acts under the lock, with the same key or
a new one (contract 3.9, Resend)."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.delivery.circuit_breaker import open_partners
from orders.models import OrderEvent, TrialClaim
from orders.sending.resend import Selection, judge_selection, resend
from tests.flows.conftest import code_of
from tests.flows.test_breaker import trial

BILLING, BPM = "/bigdata/productInfos", "/bpm/flows/start"


def run(capsys, *words) -> tuple[int, str]:
    """Runs `resend` and returns the exit code and the printed text."""
    return code_of("resend", *words), capsys.readouterr().out


def keys(desk, path: str) -> list[str]:
    return [call["key"] for call in desk.sandbox.calls(path=path)]


def bodies(desk, path: str) -> list[dict]:
    return [call["body"] for call in desk.sandbox.calls(path=path)]


def exhaust(desk, settings, kind: str = "503") -> None:
    settings.DISPATCH_RETRY_SECONDS = [1]
    desk.sandbox.fault(path=BILLING, kind=kind, count=2)
    desk.play(trial("T1"))
    desk.deliver(after=5)
    assert desk.order("T1").state == "failed"


def test_used_up_retries_go_out_again_with_the_same_key_and_bytes(desk, settings, capsys):
    exhaust(desk, settings)
    desk.clock.shift(86400)
    assert run(capsys, "T1", "--by", "li", "--reason", "ticket 1")[0] == 0
    act = OrderEvent.objects.filter(kind="resend", order=None)
    order = OrderEvent.objects.filter(kind="resend", order__number="T1")
    assert [(row.actor, row.data["reason"]) for row in act] == [("command:li", "ticket 1")]
    assert [(row.actor, row.data["reason"]) for row in order] == [("command:li", "ticket 1")]
    desk.deliver()
    assert len(set(keys(desk, BILLING))) == 1
    assert all(body == bodies(desk, BILLING)[0] for body in bodies(desk, BILLING))
    assert desk.order("T1").state == "trialing"
    code, out = run(capsys, "T1", "--failed")
    assert (code, out) == (1, "T1: not allowed, because nothing of it has failed\n0 queued, 1 declined\n")
    assert run(capsys, "T1", "--channel", "bpm")[1].startswith("T1: not allowed, because no step of it fits the filter")


def test_a_refused_step_goes_out_under_a_new_key_with_a_new_time(desk, capsys):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    desk.play(trial("T1"))
    assert desk.order("T1").state == "failed"
    desk.clock.shift(60)
    assert run(capsys, "T1")[0] == 0
    desk.deliver()
    first, second = bodies(desk, BILLING)
    assert len(set(keys(desk, BILLING))) == 2
    assert first["productInfos"][0]["createTime"] == "20230920185436"
    assert second["productInfos"][0]["createTime"] == "20230920185536"
    assert desk.order("T1").state == "trialing"
    assert [step["status"] for step in desk.standing("T1")["steps"] if step["channel"] == "billing"] == ["done"]


def test_a_replaced_step_keeps_its_place_in_the_trials_line(desk, capsys):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    desk.play(trial("T1"))
    change = {"OrderType": "2", "OrderNum": "C1", "BizRequest": "T1", "ProvContent": [{"ProvReq": "new.example.com"}]}
    desk.play(change)
    assert len(desk.sandbox.calls(path=BILLING)) == 1
    run(capsys, "T1")
    desk.deliver()
    sent = [entry["domain"] for body in bodies(desk, BILLING)[1:] for entry in body["productInfos"]]
    assert sent == ["t1.example.com", "t1.example.com", "new.example.com"]
    assert desk.order("C1").state == "applied"


def test_what_succeeded_is_refused_unless_forced(desk, capsys):
    desk.play(trial("T1"))
    code, out = run(capsys, "T1")
    assert code == 1
    assert "already accepted" in out
    # the summary does not say `refused`, the word for a partner's refusal
    with pytest.raises(CommandError, match="^1 declined$"):
        call_command("resend", "T1")
    assert run(capsys, "T1", "--force")[0] == 0
    desk.deliver()
    assert len(set(keys(desk, BILLING))) == 2
    assert desk.order("T1").state == "trialing"


def test_by_filter(desk, capsys):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=2)
    for number in ("T1", "T2", "T3"):
        desk.post(trial(number))
    desk.deliver()
    failed = {order for order in ("T1", "T2", "T3") if desk.order(order).state == "failed"}
    assert len(failed) == 2
    assert run(capsys, "--failed", "--partner", "bpm")[1].startswith("nothing failed")
    assert run(capsys, "--failed", "--since", "2023-09-21")[1].startswith("nothing failed")
    code, out = run(capsys, "--failed", "--partner", "bigdata", "--channel", "billing", "--since", "2023-09-20")
    assert (code, {line.split()[0] for line in out.splitlines()[:2]}) == (0, failed)
    desk.deliver()
    assert {desk.order(number).state for number in ("T1", "T2", "T3")} == {"trialing"}


def test_an_open_breaker_lets_it_wait(desk, settings):
    exhaust(desk, settings)
    judged = judge_selection(Selection(numbers=("T1",)), open_partners={"bigdata"})
    assert [(row.verdict, row.sends) for row in judged] == [("blocked", True)]
    assert open_partners() == set()


@pytest.mark.parametrize(
    "words",
    [[], ["NOBODY"], ["T1", "--since", "yesterday"], ["T1", "--channel", "pigeon"]],
    ids=["nothing named", "unknown", "no day", "no channel"],
)
def test_a_wrong_argument_is_one_line(desk, words):
    desk.post(trial("T1"))
    assert code_of("resend", *words) == 1


def refuse_bpm(desk, case) -> str:
    """Plays the first acceptance case while BPM refuses: everything is undone, and the order is failed. Returns the
    order's number."""
    desk.sandbox.fault(path=BPM, kind="refusal", count=1)
    desk.play_case(case(1))
    number = case(1)["content"]["OrderNum"]
    assert desk.order(number).state == "failed"
    return number


def test_a_compensated_first_activation_takes_its_claim_again(desk, case, capsys):
    number = refuse_bpm(desk, case)
    desk.clock.shift(3600)
    assert run(capsys, number)[0] == 0
    desk.deliver()
    assert desk.order(number).state == "active"
    assert TrialClaim.objects.filter(released_at=None).get().activation.number == number
    assert desk.order(case(1)["content"]["BizRequest"]).state == "converted"
    live = [row for row in desk.sandbox.state()["records"] if row["cancelStatus"] == "1"]
    assert [(row["jobId"], row["createTime"]) for row in live] == [(number, "20230920195436")]


def test_it_says_who_is_first_meanwhile(desk, case, capsys):
    number = refuse_bpm(desk, case)
    desk.play(case(1)["content"] | {"OrderNum": "OTHER1"})
    code, out = run(capsys, number)
    assert code == 1
    assert "not allowed, because OTHER1 is first" in out


def test_a_withdrawn_order_is_not_sent_anew(desk, case):
    number = refuse_bpm(desk, case)
    desk.play({"OrderNum": number, "BackFlag": "1"})
    report = resend(Selection(numbers=(number,)), by="test", reason="", now=timezone.now())
    assert [row.verdict for row in report.judgements] == ["refused"]


def test_a_step_that_waits_is_declined_by_the_name_of_what_it_waits_for(desk, settings, capsys):
    exhaust(desk, settings)
    activation = {
        "OrderNum": "A1",
        "BizRequest": "T1",
        "BizStart": "20230920",
        "ProdType": "1",
        "ProductID": "P1",
        "BusinessType": "1",
        "BillingMethod": "1",
        "DataFlow": "1",
    }
    desk.play(activation)
    code, out = run(capsys, "A1", "--channel", "billing")
    assert code == 1
    assert out.splitlines() == [
        "A1 cancel_trial_billing: not allowed, because it waits for trial T1 (create_trial_billing: failed)",
        "A1 create_billing: not allowed, because it waits for its own step cancel_trial_billing (waiting)",
        "0 queued, 2 declined",
    ]


def test_a_held_order_says_why_there_is_nothing_to_send(desk, capsys):
    desk.post(trial("T1") | {"EnterpriseID": "000"})
    code, out = run(capsys, "T1")
    why = "not allowed, because it is held (attribution_unknown) and has no steps yet"
    assert (code, out.splitlines()[0]) == (1, f"T1: {why}")
