"""The rules of `reconcile --fix`, one by one (contract 3.9, 15)."""

import itertools

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from notifications.models import Mail
from orders.models import AskedAct, BillingRecord, Difference, Dispatch, Incident, Order, OrderEvent
from orders.replanning.giving_up import give_up
from orders.texts.errors import NotAllowedError
from orders.undoing.by_staff import compensate
from project.models import User
from tests.admin.orders import staff
from tests.flows.conftest import BILLING, BPM, DELETE, code_of
from tests.flows.contents import activation, change, trial, withdrawal
from tests.sampling import WHOLE

A, B = "a.example.com", "b.example.com"


def fixes() -> list[str]:
    return list(Dispatch.objects.filter(step__startswith="fix").values_list("step", flat=True))


def put_into(number: str, state: str, **more):
    """Sets the order's state without a transition, and removes the history of its states."""
    order = Order.objects.filter(number=number)
    order.update(state=state, **more)
    OrderEvent.objects.filter(order__number=number, kind__in=["received", "state"]).delete()


def play_pairs(desk, cases) -> dict:
    """Plays an active order, with its trial, for each case, and returns {number of the order: case}. For example, A3
    is an activation of T3, and its domain is d3.example.com."""
    found = {f"A{n}": case for n, case in enumerate(list(cases)[:: 1 if WHOLE else 6])}
    for make in (lambda n: trial(f"T{n}", domain_of(n)), lambda n: activation(f"A{n}", of=f"T{n}")):
        for number in found:
            desk.post(make(number[1:]))
        desk.deliver()
    return found


def domain_of(number: str) -> str:
    return f"d{number.strip('AT')}.example.com"


def left(lines: list[str], number: str) -> list[str]:
    """Returns the reasons why the order's differences were left alone."""
    return [line.split(" -> left: ")[1] for line in lines if line.startswith(f"{number} ") and " -> left: " in line]


# --- a commercial record is made live only for an order that should be billed


def test_a_commercial_record_is_made_live_for_an_order_that_stands(desk, books):
    states = ["in_progress", "awaiting_approval", "scheduled", "active"]
    cases = play_pairs(desk, itertools.product(states, ["missing", "cancelled"]))
    before = {}
    for number, (state, theirs) in cases.items():
        put_into(number, state)
        before[number] = books.lose(number) if theirs == "missing" else books.put(number, cancelStatus="2")
    books.fix(*cases)
    assert {number: books.store.records(number) for number in cases} == {
        number: [row] for number, row in before.items()
    }
    assert {number: books.live(domain_of(number)) for number in cases} == {number: [number] for number in cases}


@pytest.mark.parametrize("reason", [[], ["--reason", "x"]])
def test_a_commercial_record_is_not_made_live_for_any_other(desk, books, reason):
    """A missing record is right for an order that is over: our record becomes deleted, and there is no difference. The
    fix leaves a failed order alone."""
    cases = play_pairs(desk, ["failed", "rejected", "withdrawn"])
    for number, state in cases.items():
        put_into(number, state)
        books.lose(number)
    lines = books.fix(*cases, *reason)
    for number, state in cases.items():
        stopped = state == "failed"
        assert left(lines, number) == (["the order is not to be billed: Failed"] if stopped else [])
        assert books.live(domain_of(number)) == []
        assert desk.troubles(number) == (["difference"] if stopped else [])
        assert set(desk.records(number).values()) == {"live" if stopped else "deleted"}
    difference = Difference.objects.get(state="open")
    assert difference.detail["left"] == {"code": "not_to_be_billed", "state": "failed"}
    assert fixes() == []


# --- a trial's record is made live only until the claim holder's start


def test_a_trial_record_is_made_live_until_the_claim_holders_start(desk, books):
    """A trial's record is made live until the activation that holds the claim starts. From that day on it is not made
    live, even if the worker was down on that day."""
    desk.play(trial(), activation(start="20230930"))
    before = books.lose("T1")
    books.fix()
    assert books.held("T1") == before
    assert books.live() == ["A1", "T1"]
    books.lose("T1")
    desk.at("2023-09-30 00:00:01")
    BillingRecord.objects.filter(order__number="T1").update(dispatch=None)
    # without the cancel, only the rule prevents that the record is made live
    desk.step("A1", "cancel_trial_billing").delete()
    assert left(books.fix("T1"), "T1") == ["A1 has started and holds the trial"]
    assert books.live() == ["A1"]


def test_a_trial_record_is_not_made_live_once_the_claim_holder_has_started(desk, books, active):
    BillingRecord.objects.filter(order__number="T1").update(state="live")
    # the record is not live at the partner, which is right: our record takes that state
    assert left(books.fix(), "T1") == []
    assert (fixes(), books.live(), desk.records("T1")) == ([], ["A1"], {A: "cancelled"})
    desk.play(withdrawal("A1"))
    assert (books.reconcile()[0], books.live()) == (0, ["T1"])


def test_a_withdrawn_trial_is_not_made_live(desk, books):
    desk.play(trial(), withdrawal("T1"))
    BillingRecord.objects.update(state="live")
    # the record is not live at the partner, which is right: our record takes that state
    assert left(books.fix(), "T1") == []
    assert (fixes(), books.live(), desk.records("T1")) == ([], [], {A: "cancelled"})


def test_what_they_hold_for_an_unknown_number_keeps_the_trials_record_from_being_made_live(
    desk, books, tmp_path, trialing
):
    """A restored desk does not know the activation A9. BBOSS's list names A9, and the big-data side bills its domain
    for A9."""
    books.store.put_record(books.put("T1", cancelStatus="2") | {"jobId": "A9", "infoType": "2", "productId": "9"})
    (tmp_path / "list").write_text("T1\nA9\n")
    books.reconcile("--numbers", str(tmp_path / "list"))
    lines = books.fix()
    assert left(lines, "T1") == ["they bill the domain for A9, a number that we do not know"]
    assert books.live() == ["A9"]


# --- only records of orders that are withdrawn, rejected or compensated are deleted


def undo_rejected(desk):
    desk.approve("A1", "reject")


def undo_withdrawn(desk):
    desk.post(withdrawal("A1"))


def undo_compensated(desk):
    compensate(number="A1", reason="重复", by="staff:x", now=timezone.now())


@pytest.mark.parametrize("undo", [undo_rejected, undo_withdrawn, undo_compensated])
def test_a_record_of_an_order_that_was_undone_is_deleted(desk, books, undo, active):
    record = books.held("A1")
    undo(desk)
    desk.deliver()
    for domain in (A, B):
        books.store.put_record(record | {"domain": domain})
        assert "-> queued: fix_delete_billing" in books.fix()[0]
        assert books.live(domain) == (["T1"] if domain == A else [])
        assert desk.troubles("A1") == (["compensated"] if undo == undo_compensated else [])
        assert books.reconcile()[0] == 0


STANDING = ["in_progress", "awaiting_approval", "scheduled", "active", "held", "failed"]


def test_a_record_of_an_order_that_stands_is_not_deleted(desk, books):
    """A failed order that was not undone is still valid, because it may be resent. So a fix without a reason deletes
    no record of it."""
    cases, there = play_pairs(desk, itertools.product(STANDING, ["none", "to_send", "deleted"])), []
    for number, (state, ours) in cases.items():
        put_into(number, state, held_because=Order.Held.FILES if state == "held" else "")
        there.append((number, f"x{number.lower()}.example.com" if ours == "none" else domain_of(number)))
        if ours == "none":
            books.store.put_record(books.held(number) | {"domain": there[-1][1]})
        else:
            BillingRecord.objects.filter(order__number=number).update(state=ours)
    lines = books.fix()
    why = {number: ["the order stands" in why for why in left(lines, number)] for number in cases}
    assert why == dict.fromkeys(cases, [True])
    assert (fixes(), desk.sent(DELETE)) == ([], [])
    lines = books.fix(*cases, "--reason", "与客户经理确认")
    queued = {line.split()[0] for line in lines if "-> queued: fix_delete_billing" in line}
    assert queued == cases.keys()
    deleted = [(row["jobId"], row["domain"]) for body in desk.sent(DELETE) for row in body["productInfos"]]
    assert sorted(deleted) == sorted(there)


def test_nor_is_a_trials(desk, books):
    cases = {f"T{n}": state for n, state in enumerate(["trialing", "ended", "converted"])}
    for number, state in cases.items():
        desk.play(trial(number, domain_of(number)))
        put_into(number, state)
        books.store.put_record(books.held(number) | {"domain": f"x{number.lower()}.example.com"})
    lines = books.fix()
    for number in cases:
        assert ["the order stands" in why for why in left(lines, number)] == [True], number
        assert books.live(f"x{number.lower()}.example.com") == [number]


def test_a_reason_is_for_the_named_orders_only(desk, books, active):
    for number in ("T1", "A1"):
        books.store.put_record(books.held(number) | {"domain": B, "cancelStatus": "1"})
    books.fix("A1", "--reason", "x")
    assert books.live(B) == ["T1"]


# --- orders are left out, and named, if a billing step is under way or failed


def test_a_failed_billing_step_is_named_and_nothing_is_put_right(desk, books, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    desk.play(change("C1", A, B))
    assert desk.state("C1") == "failed"
    books.lose("T1")
    lines = books.fix()
    assert lines[0] == ("T1: compared, but nothing of it is put right: a billing step has failed: Create trial records")
    assert left(lines, "T1") == ["a billing step has failed: Create trial records"]
    assert (fixes(), desk.troubles("T1")) == ([], ["code_400", "difference"])  # the failed step also names the trial
    assert lines[-1] == "1 orders, 2 records: 1 differences, 0 put right, 0 orders left out with steps under way"
    books.fix("T1", "--reason", "x")
    assert fixes() == []


@pytest.mark.parametrize("kind", ["refusal", "503"])
def test_a_failed_step_of_what_was_taken_back_stands_in_nobodys_way(desk, books, settings, kind, trialing):
    """The failed step of an undone activation does not prevent a fix of its trial. The step can't be given up either,
    because the trial runs again and its records are live as they should be."""
    settings.DISPATCH_RETRY_SECONDS = []
    # a refused cancel goes out once more
    desk.sandbox.fault(path=BILLING, kind=kind, count=2 if kind == "refusal" else 1)
    desk.play(activation())
    desk.wait_out()
    assert (desk.state("A1"), desk.state("T1"), desk.records("T1")) == ("failed", "trialing", {A: "live"})
    for step in ("", "cancel_trial_billing"):
        with pytest.raises(NotAllowedError):
            desk.staff(give_up, "A1", step=step)
    assert "billed_not_active" not in desk.troubles("A1")
    before = books.lose("T1")
    books.fix()
    assert books.held("T1") == before


def test_a_step_under_way_leaves_the_order_out(desk, books):
    for n, state in enumerate(["due", "sending", "retrying"]):
        desk.play(trial(f"T{n}", domain_of(f"T{n}")))
        books.lose(f"T{n}")
        desk.post(change(f"C{n}", domain_of(f"T{n}"), f"x{n}.example.com", of=f"T{n}"))
        Dispatch.objects.filter(order__number=f"C{n}").update(state=state, next_try_at="2023-12-24T00:00:00+08:00")
    code, lines = books.reconcile("--fix")
    assert (code, lines) == (
        0,
        [
            *(f"T{n}: left out: a billing step is under way: Create trial records" for n in range(3)),
            "0 orders, 0 records: 0 differences, 0 put right, 3 orders left out with steps under way",
        ],
    )
    assert fixes() == []


def test_an_undoing_that_goes_on_leaves_the_order_out(desk, books, active):
    books.store.put_record(books.held("A1") | {"domain": "x.example.com"})
    desk.sandbox.fault(path=DELETE, kind="503", count=1)
    desk.play(withdrawal("A1"))
    lines = books.reconcile("--fix")[1]
    assert fixes() == []
    assert lines[:2] == [
        "T1: left out: a billing step is under way: Restore trial records",
        "A1: left out: a billing step is under way: Delete commercial records",
    ]


def test_an_undoing_that_failed_is_compared_and_not_put_right(desk, books, active):
    desk.sandbox.fault(path=DELETE, kind="refusal", count=1)
    desk.play(withdrawal("A1"))
    assert desk.state("A1") == "compensating"
    books.store.put_record(books.held("A1") | {"domain": "x.example.com"})
    lines = books.fix()
    assert "T1: compared, but nothing of it is put right: a billing step has failed: Delete commercial records" in lines
    assert left(lines, "A1") == ["a billing step has failed: Delete commercial records"]
    assert lines[-1].startswith("2 orders, ")
    assert desk.troubles("A1") == ["code_400", "difference"]


def test_a_failed_bpm_step_is_no_billing_step(desk, books, settings):
    desk.play(trial("T1"), trial("T2", B), activation("A1"), activation("A2", B, of="T1"))
    desk.sandbox.fault(path=BPM, kind="503", count=3)
    desk.play(activation("A3", "c.example.com", of="T1"))
    assert desk.step("A3", "start_bpm").state == "retrying"
    before = books.lose("A1")
    books.fix()
    assert books.held("A1") == before


def test_a_fix_that_failed_troubles_nobody_once_the_books_agree(desk, books, trialing):
    before = books.lose("T1")
    desk.sandbox.fault(path=BILLING, kind="refusal", count=1)
    books.fix()
    books.store.put_record(before)
    assert books.reconcile()[0] == 0
    assert desk.troubles("T1") == []


def test_a_fix_whose_ground_is_gone_sends_nothing(desk, books, active):
    """Between the comparison and the call, our record becomes deleted. The difference that the fix would correct no
    longer exists, so nothing is sent."""
    books.lose("A1")
    books.reconcile("--fix")
    BillingRecord.objects.filter(order__number="A1").update(state="deleted")
    desk.deliver()
    assert (desk.step("A1", "fix_create_billing").state, books.live()) == ("done", [])


# --- a database restored from a dump (issue 9)


def test_a_restored_desk_does_no_harm(desk, books, capsys, trialing):
    """At the time of the dump three activations waited for BPM and one trial ran. Then all of them went on, and the
    dump was restored. A fix changes nothing at the big-data side."""
    desk.play(*(activation(f"A{n}", f"x{n}.example.com", of="T1", start="20231020") for n in (1, 2, 3)))
    first = Order.objects.get(number="A1")
    assert first.first
    before = {row["jobId"]: row for row in books.store.records()}
    BillingRecord.objects.filter(order__number__in=["A1", "A2", "A3"]).update(state="to_send")
    Dispatch.objects.filter(order__number="A1", step="create_billing").update(state="waiting")
    for number in ("A2", "A3"):
        books.store.put_record(before["A1"] | {"jobId": number, "domain": f"x{number[1]}.example.com"})
    books.put("T1", cancelStatus="2")
    Order.objects.filter(number="A1").update(start_at=timezone.now())
    held = books.store.records()
    code, lines = books.reconcile("--fix")
    desk.deliver()
    assert code == 1
    assert "4 differences" in lines[-1]
    assert (fixes(), books.store.records()) == ([], held)
    assert [desk.troubles(number) for number in ("T1", "A1", "A2", "A3")] == [["difference"]] * 4


# --- four eyes


def test_with_four_eyes_a_fix_is_asked_for_order_by_order(desk, books, active, client, settings):
    """Under four eyes a fix without numbers and a reason is refused. Nothing is corrected before a second person
    confirms the request."""
    settings.FOUR_EYES = {"fix": 0}
    clerk, judge = staff("fix_difference", name="li"), staff("confirm_act", "view_askedact", name="wang")
    before = books.lose("A1")
    for words in ([], ["--reason", "x"], ["A1"]):
        assert code_of("reconcile", *words, "--fix", "--by", "li") == 1
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "A1", "--fix", "--reason", "x", "--by", "li")
    row = AskedAct.objects.get()
    assert (ended.value.code, row.asker_id, row.order.number, books.live()) == (3, clerk.pk, "A1", [])
    client.force_login(judge)
    preview = client.get(reverse("admin:orders_askedact_change", args=[row.pk])).context["preview"]
    told = {"told": preview.told, "seen": preview.last_event_id}
    client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), told)
    desk.deliver()
    assert (books.held("A1"), books.live()) == (before, ["A1"])


@pytest.mark.parametrize("named", [True, False])
def test_an_emergency_puts_right_at_once_and_is_told(desk, books, active, settings, named):
    """An emergency fix, of one order or of all, is carried out at once. It leaves an event, an incident, and a mail to
    each person who could have confirmed the fix."""
    settings.FOUR_EYES, before = {"fix": 0}, books.lose("A1")
    judge = staff("confirm_act", name="wang")
    User.objects.filter(pk=judge.pk).update(email="wang@example.com")
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile", *["A1"][:named], fix=True, reason="夜间无人复核", by="li", emergency=True)
    desk.deliver()
    assert (books.held("A1"), books.live()) == (before, ["A1"])
    event = OrderEvent.objects.get(kind="act_in_emergency")
    assert (event.actor, event.order and event.order.number) == ("command:li", "A1" if named else None)
    assert (event.data["act"], event.data["reason"]) == ("fix", "夜间无人复核")
    assert Incident.objects.get(code="emergency_act").state == "open"
    told = Mail.objects.get(kind="notice_emergency_act")
    assert (told.recipients, "夜间无人复核" in told.body) == (["wang@example.com"], True)
    assert not AskedAct.objects.exists()
