"""Staff move an activation's start day by one call (contract 3.9, 18). The tests cover the effects of each answer to
the call."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from integrations.delivery.channels import send_step
from orders.actions import action_previews
from orders.models import Dispatch
from orders.pauses.pause_and_resume import pause_partner
from orders.start_day.move_start import move_start
from orders.texts.errors import NotAllowedError
from tests.flows.conftest import BILLING, DELETE, QUERY, code_of
from tests.flows.contents import activation, trial, withdrawal

A, B = "a.example.com", "b.example.com"
MOVE, CANCEL, ASK = "move_start_billing", "cancel_trial_billing", "ask_billing"
OLD, NEW, SOON = "20230930", "20231010", "20230925"
JOB = "BBossOrderJob_A1_"


def asked(desk, day: str = NEW, number: str = "A1", **options) -> None:
    call_command("move_start", number, day, reason="the customer asks", **options)


def moved(desk, *day_and_number: str) -> None:
    asked(desk, *day_and_number)
    desk.deliver()


def starts_there(desk, number: str = "A1") -> list[str]:
    return sorted({row["createTime"] for row in desk.held_there(number).values()})


def stands_on(desk, day: str, number: str = "A1") -> tuple:
    """Checks that the order's day, schedule and waiting step all have this day, and returns the order's state."""
    order = desk.order(number)
    jobs = list(Schedule.objects.filter(name__startswith="BBossOrderJob").values_list("next_run", flat=True))
    assert jobs == [order.start_at]
    assert f"{order.biz_start:%Y%m%d}" == f"{timezone.localtime(order.start_at):%Y%m%d}" == day
    waiting = Dispatch.objects.filter(order=order, step=CANCEL, superseded=False)
    assert [row.not_before for row in waiting] in ([order.start_at], [])
    return order.state


@pytest.fixture
def scheduled(desk):
    desk.play(trial("T1", A, B), activation("A1", start=OLD))
    assert stands_on(desk, OLD) == "scheduled"
    return desk


@pytest.fixture
def lost(scheduled):
    """Returns a function that moves the start by calls that are never answered until the retries are used up. The
    fault's kind decides whether a call acts."""

    def lose(kind: str, day: str = NEW):
        scheduled.sandbox.fault(path=BILLING, kind=kind, count=20)
        moved(scheduled, day)
        while scheduled.step("A1", MOVE).state in {"due", "retrying"}:
            assert scheduled.wait()
        scheduled.sandbox.partners.faults.clear()
        return scheduled

    return lose


# --- accepted


@pytest.mark.parametrize("first, day", [(SOON, NEW), (NEW, SOON)])
def test_accepted_moves_each_move_day_schedule_and_steps(desk, scheduled, first, day, capsys):
    for before, to in ((OLD, first), (first, day)):
        asked(desk, to)
        assert stands_on(desk, before) == "scheduled"  # the old day stays until the move is accepted
        assert "BPM is not told" in capsys.readouterr().out
        desk.deliver()
        assert stands_on(desk, to) == "scheduled"
        assert (desk.step("A1", MOVE).state, starts_there(desk), desk.troubles("A1")) == ("done", [f"{to}000000"], [])
        assert desk.billed()[-1] == ("create", "A1", [A, B])
    keys = [call["key"] for call in desk.sandbox.calls(path=BILLING)]
    assert len(keys) == len(set(keys))
    assert len(desk.events("A1", "start_moved")) == 2
    desk.sweep(f"{day[:4]}-{day[4:6]}-{day[6:]} 00:00:00")
    assert (desk.state("A1"), desk.state("T1")) == ("active", "converted")


def test_until_it_is_accepted_the_page_names_both_days_and_no_other_move_is_taken(scheduled, admin_client):
    page = reverse("admin:orders_order_change", args=[scheduled.order("A1").pk])
    asked(scheduled)
    assert "开通日期由 2023-09-30 改为 2023-10-10，等待大数据侧受理" in admin_client.get(page).content.decode()
    with pytest.raises(CommandError, match="being moved already"):
        asked(scheduled, SOON)
    scheduled.deliver()
    assert "等待大数据侧受理" not in admin_client.get(page).content.decode()


def test_a_move_to_today_starts_at_its_T(desk, scheduled):
    asked(desk, "20230920")
    t = timezone.localtime()
    desk.deliver()
    assert (desk.state("A1"), desk.state("T1"), starts_there(desk)) == ("active", "converted", [f"{t:%Y%m%d%H%M%S}"])
    assert desk.order("A1").start_at == t.replace(microsecond=0)
    assert not Schedule.objects.filter(name__startswith=JOB).exists()


def test_a_subsequent_activation_moves_too(desk, scheduled):
    desk.play(activation("A2", "x.example.com", start=OLD))
    desk.decided("A2")
    assert desk.state("A2") == "scheduled"
    moved(desk, NEW, "A2")
    assert (desk.state("A2"), starts_there(desk, "A2")) == ("scheduled", [f"{NEW}000000"])
    desk.sweep("2023-09-30 00:00:00")
    assert (desk.state("A1"), desk.state("A2")) == ("active", "scheduled")


@pytest.mark.parametrize("day", [NEW, "20230920"])
def test_an_order_that_is_not_billed_yet_is_moved_without_a_call(desk, scheduled, day):
    desk.play(activation("A2", "x.example.com", start=OLD))
    calls = len(desk.billed())
    moved(desk, day, "A2")
    assert len(desk.billed()) == calls
    desk.decided("A2")
    if day == NEW:
        assert (desk.state("A2"), starts_there(desk, "A2")) == ("scheduled", [f"{NEW}000000"])
    else:
        assert (desk.state("A2"), starts_there(desk, "A2")[0][:8]) == ("active", "20230920")


# --- refused


def test_a_refused_move_leaves_the_order_on_its_day(desk, scheduled):
    """The incident of a refused move ends when another move is accepted, or when staff accept it."""
    desk.sandbox.fault(path=BILLING, kind="refusal")
    moved(desk)
    assert stands_on(desk, OLD) == "scheduled"
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("closed", ["move_failed"])
    assert (starts_there(desk), desk.records("A1")) == ([f"{OLD}000000"], {A: "live", B: "live"})
    # nothing is compensated, and nothing is unknown, so no query is sent
    assert desk.sent(DELETE) == desk.sent(QUERY) == []
    moved(desk)
    assert (stands_on(desk, NEW), desk.troubles("A1")) == ("scheduled", [])
    desk.sandbox.fault(path=BILLING, kind="refusal")
    moved(desk, SOON)
    assert desk.troubles("A1") == ["move_failed"]
    call_command("accept", "A1", reason="then not")
    assert (stands_on(desk, NEW), desk.troubles("A1")) == ("scheduled", [])


# --- unknown outcome, or 409


@pytest.mark.parametrize(("kind", "day", "trouble"), [("reset_after", NEW, []), ("reset", OLD, ["move_failed"])])
def test_what_nobody_answered_is_asked_ten_minutes_after_the_last_call(lost, kind, day, trouble):
    """If no call of a move was answered, the records are queried ten minutes after the last call. Until then `take`,
    `accept`, `give_up`, another move and a forced resend are refused."""
    desk = lost(kind)
    for act in ("take", "accept", "give_up", f"move_start {SOON}", "resend --channel billing --force"):
        name, *more = act.split()
        assert code_of(name, "A1", *more, reason="at once") == 1, act
    ended, asked = timezone.now(), len(desk.sent(QUERY))
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    assert (stands_on(desk, OLD), set(desk.records("A1").values())) == ("scheduled", {"unknown"})
    assert desk.wait()
    assert (timezone.now() - ended).total_seconds() == 600
    assert len(desk.sent(QUERY)) == asked + 1
    assert (stands_on(desk, day), desk.troubles("A1")) == ("scheduled", trouble)
    assert starts_there(desk) == [f"{day}000000"]
    assert set(desk.records("A1").values()) == {"live"}


def test_a_refusal_after_an_unanswered_call_is_asked_about(desk, scheduled):
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    moved(desk)
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.wait()
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    desk.wait_out()
    assert (stands_on(desk, NEW), desk.troubles("A1")) == ("scheduled", [])


def test_a_409_is_asked_about(desk, scheduled):
    desk.sandbox.fault(path=BILLING, kind="409")
    moved(desk)  # no call may still act, so the records are queried at once
    assert desk.step("A1", ASK).state == "done"
    assert (stands_on(desk, OLD), desk.step("A1", MOVE).state) == ("scheduled", "closed")
    assert desk.troubles("A1") == ["move_failed"]


def test_a_409_after_an_unanswered_call_is_asked_about_when_that_may_not_act_any_more(desk, scheduled):
    desk.sandbox.fault(path=BILLING, kind="reset")
    moved(desk)
    unanswered = timezone.now()
    desk.sandbox.fault(path=BILLING, kind="409")
    desk.wait()
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    for row in desk.held_there("A1").values():  # the unanswered call acts late
        desk.sandbox.partners.store.put_record(row | {"createTime": f"{NEW}000000"})
    desk.wait()
    assert (timezone.now() - unanswered).total_seconds() == 600
    assert (stands_on(desk, NEW), desk.step("A1", MOVE).state, desk.troubles("A1")) == ("scheduled", "done", [])


def test_fix_leaves_an_order_whose_start_is_being_moved(lost, capsys):
    """`reconcile --fix` leaves an order alone while the outcome of its move is unknown, and also once the query has
    shown that its records disagree."""
    desk = lost("reset")
    disagreeing(desk)
    for asking, records in ((True, "unknown"), (False, "live")):
        assert bool(desk.step("A1", MOVE).asking) is asking
        assert code_of("reconcile", "A1", "--fix") == (0 if asking else 1)
        assert "A1: compared, but nothing of it is put right: a billing step has failed" in capsys.readouterr().out
        assert set(desk.records("A1").values()) == {records}
        assert not Dispatch.objects.filter(step__startswith="fix_").exists()
        desk.wait()


def test_the_start_days_steps_wait_while_nobody_knows(desk, scheduled):
    """The start is moved to today a minute before midnight, and no call is answered. The steps of the old start day
    wait until the outcome of the move is known."""
    desk.at("2023-09-29 23:59:00")
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=20)
    moved(desk, "20230929")
    while desk.step("A1", MOVE).state == "retrying":
        desk.wait()
        desk.sweep()
    last = max(call["at"] for call in desk.sandbox.calls(path=BILLING))
    assert timezone.localtime() < timezone.make_aware(datetime.datetime(2023, 9, 30, 0, 29)), last
    assert (desk.state("A1"), desk.step("A1", CANCEL).state) == ("scheduled", "waiting")
    desk.sandbox.partners.faults.clear()
    desk.wait_out()
    assert (desk.state("A1"), starts_there(desk)) == ("active", ["20230929235900"])
    assert desk.order("A1").biz_start == datetime.date(2023, 9, 29)
    assert desk.troubles("A1") == []


# --- records that disagree


def disagreeing(desk, day: str = NEW):
    """Gives one of the order's two records the new start. The other record keeps the old start."""
    store = desk.sandbox.partners.store
    store.put_record(desk.held_there("A1")[A] | {"createTime": f"{day}000000"})


def test_records_that_disagree_are_sent_again_while_both_starts_lie_ahead(lost):
    desk = lost("reset")
    disagreeing(desk)
    desk.wait()
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    assert desk.state("A1") == "scheduled"
    with pytest.raises(CommandError, match="resend"):
        call_command("take", "A1", reason="theirs")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.command("resend", "A1")
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    desk.command("resend", "A1")
    assert (stands_on(desk, NEW), desk.troubles("A1"), starts_there(desk)) == ("scheduled", [], [f"{NEW}000000"])


@pytest.mark.parametrize(
    "day, earliest, before", [(NEW, OLD, "2023-09-29 23:45:00"), (SOON, SOON, "2023-09-24 23:45:00")]
)
def test_records_that_disagree_are_taken_later_and_the_earliest_is_the_start(lost, day, earliest, before):
    """A move to an earlier day may have reached only one of two records. That record is billed from the earlier day
    on, so `take` makes that day the start."""
    desk = lost("reset", day)
    disagreeing(desk, day)
    desk.wait()
    desk.at(before)
    assert code_of("resend", "A1") == 1
    call_command("take", "A1", reason="theirs")
    assert (stands_on(desk, earliest), desk.troubles("A1"), desk.step("A1", MOVE).state) == ("scheduled", [], "done")
    desk.sweep(after=900)
    assert (desk.state("A1"), desk.state("T1"), desk.troubles("A1")) == ("active", "converted", [])


def test_records_of_which_one_is_gone_have_a_way_out(lost):
    desk = lost("reset")
    desk.sandbox.partners.store.delete_record(desk.held_there("A1")[A])
    desk.wait()
    desk.at("2023-09-30 00:00:05")
    with pytest.raises(CommandError, match="compensate order A1 and resend it"):
        call_command("take", "A1", reason="theirs")
    call_command("compensate", "A1", reason="one is gone")
    desk.wait_out()
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("active", [A, B], [])


@pytest.mark.parametrize("gone, both", [("deleted", False), ("deleted", True), ("cancelled", False)])
def test_records_of_which_one_is_gone_for_over_a_day_are_taken_and_put_right(lost, gone, both):
    """The start is more than a day ago, so the order can't be compensated: the customer would lose a day of billed
    service. `take` accepts the records that are live, and a fix sends the missing ones again."""
    desk = lost("reset")
    store = desk.sandbox.partners.store
    for domain in (A, B)[: 1 + both]:
        row = desk.held_there("A1")[domain]
        store.delete_record(row) if gone == "deleted" else store.put_record(row | {"cancelStatus": "2"})
    desk.wait()
    desk.at("2023-10-02 00:00:05")
    with pytest.raises(CommandError, match="more than a day"):
        call_command("compensate", "A1", reason="one is gone")
    [_, preview] = action_previews.take(desk.order("A1"), now=timezone.now())
    assert preview.code == "takes_live_ones"
    call_command("take", "A1", reason="theirs")
    assert desk.troubles("A1") == ["difference"]
    desk.sweep(after=900)
    assert (desk.state("A1"), desk.state("T1"), desk.troubles("A1")) == ("active", "converted", ["difference"])
    assert code_of("reconcile", "A1", "--fix") == 1
    desk.deliver()
    assert (desk.alive_there("A1"), starts_there(desk), desk.troubles("A1")) == ([A, B], [f"{OLD}000000"], [])
    assert code_of("reconcile", "A1") == 0


def test_starts_there_that_agree_are_taken_as_the_start(desk, scheduled):
    for row in desk.held_there("A1").values():
        desk.sandbox.partners.store.put_record(row | {"createTime": f"{NEW}000000"})
    assert code_of("reconcile", "A1") == 1
    call_command("take", "A1", reason="theirs")
    assert stands_on(desk, NEW) == "scheduled"


# --- in time


@pytest.mark.parametrize("day", [NEW, "20230930"])
def test_the_last_call_ends_ten_minutes_before_the_earlier_start(desk, settings, day):
    desk.play(trial("T1", A), activation("A1", start="20231010" if day == "20230930" else "20230930"))
    desk.at("2023-09-29 23:40:00")
    desk.sandbox.fault(path=BILLING, kind="reset", count=50)
    moved(desk, day)
    while desk.step("A1", MOVE).state == "retrying":
        desk.wait()
        desk.sweep()
    latest = timezone.make_aware(datetime.datetime(2023, 9, 29, 23, 50)) - datetime.timedelta(seconds=60)
    assert timezone.now() <= latest
    assert desk.step("A1", MOVE).state == "failed"
    assert desk.step("A1", ASK).not_before < timezone.make_aware(datetime.datetime(2023, 9, 30))


@pytest.mark.parametrize("how", ["paused", "breaker"])
def test_what_is_not_begun_by_then_is_called_off(desk, scheduled, how):
    calls = len(desk.billed())
    if how == "paused":
        pause_partner(partner="bigdata", now=timezone.now(), until=None, reason="x", by="staff:1")
        moved(desk)
    else:
        asked(desk)
        assert desk.claim("bigdata", down=["bigdata"]) == []
    assert (desk.step("A1", MOVE).state, desk.step("A1", MOVE).attempts) == ("due", 0)
    desk.sweep("2023-09-29 23:49:30")
    assert (stands_on(desk, OLD), desk.step("A1", MOVE).state) == ("scheduled", "closed")
    assert desk.troubles("A1") == ["move_failed"]
    assert len(desk.billed()) == calls


def test_a_move_to_today_that_is_not_begun_before_the_old_start_is_called_off(desk, scheduled):
    desk.at("2023-09-29 23:59:00")
    asked(desk, "20230929")
    desk.sweep("2023-09-30 00:00:01")
    desk.sweep()
    assert (desk.step("A1", MOVE).state, desk.state("A1"), starts_there(desk)) == ("closed", "active", [f"{OLD}000000"])


def test_a_worker_that_dies_between_acceptance_and_record(desk, scheduled):
    """The partner has moved its records, but the worker died before it recorded the answer. The next worker sends the
    same call, which changes nothing more."""
    asked(desk)
    (work,) = desk.claim()
    assert send_step(work).result == "ok"  # the outcome of this call is lost
    assert (stands_on(desk, OLD), starts_there(desk)) == ("scheduled", [f"{NEW}000000"])
    before = desk.sandbox.state()["counts"]["repeats"]
    desk.clock.shift(61)
    desk.wait_out()
    first, second = [call for call in desk.sandbox.calls(path=BILLING) if call["key"] == work.key]
    assert first["body"] == second["body"]
    assert desk.sandbox.state()["counts"]["repeats"] == before + 1  # the partner acted once and answered twice
    assert (stands_on(desk, NEW), starts_there(desk)) == ("scheduled", [f"{NEW}000000"])
    assert (desk.step("A1", MOVE).state, desk.step("A1", MOVE).attempts, desk.troubles("A1")) == ("done", 2, [])
    assert len(desk.events("A1", "start_moved")) == 1


def test_a_worker_that_dies_with_the_last_call_in_the_air(desk, scheduled):
    """Other workers claim the dead worker's move in vain, because the time of its last call is over. Their claims do
    not prevent the sweep from ending the move."""
    asked(desk, "20230920")
    desk.at("2023-09-20 19:23:06")
    assert len(desk.claim()) == 1
    desk.at("2023-09-20 19:24:37")
    assert desk.claim() == []  # the time for the move's last call is over
    desk.sweep()
    assert (desk.step("A1", MOVE).state, desk.troubles("A1")) == ("failed", ["move_failed"])
    desk.wait_out()
    assert (stands_on(desk, OLD), starts_there(desk)) == ("scheduled", [f"{OLD}000000"])


# --- what else happens meanwhile


@pytest.mark.parametrize("call", ["create", "move"])
def test_no_move_while_an_unanswered_call_may_still_act(desk, call):
    """The first call of a create or a move had no answer, and its repeat was accepted. The first call may still act
    late and set its own start again, after a second move. So no second move is allowed for ten minutes."""
    desk.play(trial("T1", A))
    if call == "move":
        desk.play(activation("A1", start=OLD))
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    if call == "move":
        moved(desk, SOON)
    else:
        desk.play(activation("A1", start=OLD))
    unanswered = timezone.now()
    desk.wait()
    desk.deliver()
    assert (desk.state("A1"), desk.troubles("A1")) == ("scheduled", [])
    with pytest.raises(CommandError, match="may still act"):
        asked(desk)
    desk.at((unanswered + datetime.timedelta(minutes=10, seconds=1)).isoformat())
    moved(desk)
    assert stands_on(desk, NEW) == "scheduled"


def test_an_undo_mark_stops_a_move_that_is_not_begun(desk, scheduled):
    asked(desk)
    desk.play(withdrawal("A1"))
    assert (desk.step("A1", MOVE).state, desk.state("A1"), desk.held_there("A1")) == ("closed", "withdrawn", {})
    assert desk.alive_there("T1") == [A, B]


def test_after_an_undoing_a_late_move_is_looked_for(desk, scheduled):
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    moved(desk)
    late = list(desk.held_there("A1").values())
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.post(withdrawal("A1"))
    desk.wait()
    assert (desk.state("A1"), desk.held_there("A1")) == ("compensating", {})
    for row in late:
        desk.sandbox.partners.store.put_record(row)
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), desk.troubles("A1")) == ("withdrawn", {}, [])


def test_a_withdrawal_while_the_outcome_is_unknown(lost):
    desk = lost("reset_after")
    desk.post(withdrawal("A1"))
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), desk.troubles("A1")) == ("withdrawn", {}, [])
    assert desk.alive_there("T1") == [A, B]


@pytest.fixture
def untold(scheduled):
    """Returns a function that moves the start with an unknown outcome. The big-data side answers neither the calls nor
    the queries about them."""

    def lose(kind: str, day: str):
        scheduled.sandbox.fault(path=BILLING, kind=kind, count=20)
        scheduled.sandbox.fault(path=QUERY, kind="reset", count=50)
        asked(scheduled, day)
        scheduled.wait_out()
        return scheduled

    return lose


@pytest.mark.parametrize("day", [SOON, "20230920"])
def test_late_undoing_counts_from_the_start_that_may_be_there(untold, day):
    """A move to an earlier day has an unknown outcome. Late undoing counts from the earlier day, so that the records
    of what the customer owes are not deleted."""
    desk = untold("reset_after", day)
    desk.at("2023-09-27 12:00:00")
    desk.post(withdrawal("A1"))
    assert desk.troubles("A1")[-1] == "late_undo"
    assert desk.sent(DELETE) == []


def test_a_late_undoing_cancels_with_the_start_that_is_there(untold):
    """The cancel of a late undoing waits until the records' real start is known. Otherwise it could send the old
    start, which lies after the records' end."""
    desk = untold("reset_after", SOON)
    desk.at("2023-09-27 12:00:00")
    desk.post(withdrawal("A1"))
    desk.sandbox.partners.faults.clear()
    with pytest.raises(CommandError, match="wait until the big-data side has answered"):
        call_command("withdraw", "A1", reason="owed until now", how="cancel")
    assert code_of("resend", "A1") == 1  # only the query goes out
    desk.deliver()
    call_command("withdraw", "A1", reason="owed until now", how="cancel")
    desk.wait_out()
    assert (desk.state("A1"), starts_there(desk), desk.alive_there("A1")) == ("withdrawn", [f"{SOON}000000"], [])


@pytest.mark.parametrize("asked", ["failed", "retrying"])
def test_an_undoing_ends_the_question_about_a_move(untold, lost, asked):
    """An undoing makes the query about an unanswered move unnecessary. The query's step and incident end with the
    undoing, so nothing is left that staff could not end."""
    if asked == "failed":
        desk = untold("reset_after", NEW)
    else:
        desk = lost("reset_after")
        desk.sandbox.fault(path=QUERY, kind="reset", count=3)
        desk.wait()
    assert desk.step("A1", ASK).state == asked
    desk.sandbox.partners.faults.clear()
    desk.approve("A1", "reject")
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), desk.troubles("A1")) == ("rejected", {}, [])


@pytest.mark.whole
def test_a_withdrawal_that_turns_out_not_to_be_late(untold):
    """The move to an earlier start never acted, so the withdrawal is not late. It deletes all records, and the trial
    goes on."""
    desk = untold("reset", SOON)
    desk.at("2023-09-27 12:00:00")
    desk.post(withdrawal("A1"))
    desk.post(activation("A2", "x.example.com"))
    assert (desk.troubles("A1")[-1], desk.state("A2")) == ("late_undo", "held")
    desk.sandbox.partners.faults.clear()
    assert code_of("resend", "A1") == 1  # only the query is sent again, not the move itself
    desk.deliver()
    assert desk.troubles("A1") == ["move_failed", "late_undo"]
    call_command("withdraw", "A1", reason="as BBOSS has it")
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), desk.troubles("A1")) == ("withdrawn", {}, [])
    assert (desk.order("T1").undo_asked_at, desk.state("A2")) == (None, "active")


def test_a_reopened_order_keeps_a_moved_start_day(desk, scheduled):
    moved(desk)
    call_command("compensate", "A1", reason="x")
    desk.wait_out()
    desk.command("resend", "A1")
    assert (stands_on(desk, NEW), starts_there(desk)) == ("scheduled", [f"{NEW}000000"])
    assert desk.troubles("A1") == ["process_differs"]  # BPM has the old start


# --- what is not allowed


REFUSED = [
    ("A1", "20230919", "argument day: 20230919 has passed"),
    ("A1", OLD, "argument day: the order starts on 20230930 already"),
    ("A1", "20330921", "argument day: 20330921 is not within ten years"),
    ("T1", NEW, "no activation that waits for its start day"),
    ("X1", NEW, "order X1 is unknown"),
]


def test_what_can_not_be_moved_says_why(scheduled):
    for number, day, said in REFUSED:
        with pytest.raises(CommandError, match=said):
            asked(scheduled, day, number)
    with pytest.raises(NotAllowedError):
        move_start(number="A1", day=datetime.date(2023, 10, 10), reason=" ", by="staff:1", now=timezone.now())
    scheduled.at("2023-09-29 23:49:30")
    with pytest.raises(CommandError, match="too late"):
        asked(scheduled)
    scheduled.at("2023-09-30 00:00:00")
    with pytest.raises(CommandError, match="has come"):
        asked(scheduled)


def test_the_dry_run_names_days_without_service(desk, capsys):
    desk.play(trial("T1", A, BizEnd="20231003"), activation("A1", start=OLD))
    asked(desk, NEW, dry_run=True)
    said = capsys.readouterr().out
    assert "From 2023-10-04 to 2023-10-09 the customer has no service" in said
    assert "2023-09-29 23:50" in said
    assert not Dispatch.objects.filter(step=MOVE).exists()
    assert desk.events("A1", "move_asked") == []
