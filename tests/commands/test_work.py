"""The commands that do work: deliver, activate, fetch_usage, setup_schedules (contract section 5)."""

import pytest
from django.core.management import CommandError, call_command
from django_q.models import Schedule

from orders.models import TrialUsage
from tests.flows.conftest import desk  # noqa: F401  a fixture
from tests.flows.test_breaker import trial


def run(capsys, *words) -> tuple[int, str]:
    """Runs a command, and returns its exit code and its output with the line of the error."""
    try:
        call_command(*words)
        return 0, capsys.readouterr().out
    except CommandError as error:
        return error.returncode, f"{capsys.readouterr().out}{error}"


def test_deliver_does_all_that_is_due(desk, capsys):  # noqa: F811
    for number in range(12):
        desk.post(trial(f"T{number}"))
    assert run(capsys, "deliver") == (0, "12 attempts, 12 steps done, 0 refused\n")
    assert run(capsys, "deliver") == (0, "0 attempts, 0 steps done, 0 refused\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (["deliver", "--workers", "0"], "--workers"),
        (["deliver", "--workers", "65"], "--workers"),
        (["activate"], ""),
        (["activate", "X", "--due"], ""),
        (["activate", "NOBODY"], ""),
        (["fetch_usage", "NOBODY"], "no such trial: NOBODY"),
    ],
)
def test_a_silly_number_of_workers_and_an_order_that_is_not_named_are_refused(db, words, said):
    with pytest.raises(CommandError, match=said):
        call_command(*words)


def test_activate_starts_what_has_come(desk, case, capsys):  # noqa: F811
    desk.play_case(case(3))
    number = case(3)["content"]["OrderNum"]
    code, out = run(capsys, "activate", number)
    assert code == 1
    assert f"{number}: not started: its start is 2023-09-30T00:00:00+08:00" in out
    assert run(capsys, "activate", "--due") == (0, "nothing to start\n")
    desk.at("2023-09-30 00:00:05")
    assert run(capsys, "activate", "--due") == (0, f"{number}: started\n")
    desk.deliver()
    assert desk.order(number).state == "active"
    code, out = run(capsys, "activate", number)
    assert (code, f"{number}: not started: state active" in out) == (1, True)


def test_fetch_usage_asks_and_keeps_the_answer(desk, capsys):  # noqa: F811
    desk.play(trial("T1"))
    desk.sandbox.flow("T1", 12.5)
    assert run(capsys, "fetch_usage", "T1") == (0, "T1: 12.5\n")
    assert TrialUsage.objects.get().data_flow == 12.5
    assert run(capsys, "fetch_usage")[0] == 0
    desk.sandbox.fault(path="/bigdata/trialFlow/query", kind="503", count=1)
    code, out = run(capsys, "fetch_usage", "T1")
    assert code == 1
    assert "http_503" in out


def test_fetch_usage_without_a_running_trial_says_so(db, capsys):
    assert run(capsys, "fetch_usage") == (0, "no trial runs: nothing to ask\n")


def test_setup_schedules_is_idempotent_and_mends(db, capsys):
    call_command("setup_schedules")
    names = sorted(Schedule.objects.values_list("name", flat=True))
    Schedule.objects.filter(name="desk-sweep").update(func="os.getcwd")
    Schedule.objects.create(name="desk-sweep", func="integrations.tasks.sweep")
    call_command("setup_schedules")
    call_command("setup_schedules")
    assert sorted(Schedule.objects.values_list("name", flat=True)) == names
    assert Schedule.objects.get(name="desk-sweep").func == "integrations.tasks.sweep"
