"""`compensate ORDER --reason TEXT [--by NAME]` (contract section 5)."""

import pytest
from django.core.management import CommandError, call_command

from tests.flows.conftest import DELETE
from tests.flows.contents import activation, change, trial, withdrawal


def run(*words: str) -> None:
    call_command("compensate", *words)


def test_it_deletes_an_orders_records_and_says_so(desk, capsys):
    desk.play(trial(), activation())
    run("A1", "--reason", "billed by mistake", "--by", "lisi")
    assert capsys.readouterr().out == "A1: compensation begun by command:lisi (state compensating)\n"
    desk.deliver()
    assert (desk.state("A1"), desk.state("T1")) == ("failed", "trialing")
    assert len(desk.sent(DELETE)) == 1
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], ["a.example.com"])
    assert desk.events("A1", "compensated") == [{"reason": "billed by mistake"}]


def test_it_works_on_a_subsequent_and_on_a_scheduled_one(desk):
    desk.play(trial(), activation("A1", start="20230930"), activation("A2", "x.example.com"))
    desk.approve("A2")
    desk.deliver()
    run("A2", "--reason", "x")
    desk.deliver()
    assert (desk.state("A2"), desk.state("A1")) == ("failed", "scheduled")
    run("A1", "--reason", "x")
    desk.deliver()
    assert desk.state("A1") == "failed"
    assert desk.standing("A1")["schedule"] is None


@pytest.mark.parametrize(
    "words, why",
    [
        (["T1", "--reason", "x"], "only activations are compensated"),
        (["C1", "--reason", "x"], "only activations are compensated"),
        (["A9", "--reason", "x"], "order A9 is unknown"),
        (["A2", "--reason", "x"], "nothing of order A2 was sent to the big-data side (state awaiting_approval)"),
        (["A3", "--reason", "x"], "nothing of order A3 was sent to the big-data side (state held)"),
        (["A4", "--reason", "x"], "order A4 is undone already (state withdrawn)"),
        (["A1", "--reason", "  "], "a compensation needs a reason"),
        (["A1"], "--reason"),
    ],
)
def test_it_refuses_with_one_clear_line(desk, words, why):
    desk.play(trial(), change("C1", "a.example.com", "b.example.com"), activation("A1"))
    desk.play(activation("A2", "x.example.com"), activation("A3", of="T9"), activation("A4", "y.example.com"))
    desk.play(withdrawal("A4"))
    with pytest.raises(CommandError, match=".") as refusal:
        run(*words)
    assert why in str(refusal.value)
    assert desk.sent(DELETE) == []
    assert desk.state("A1") == "active"


def test_a_second_time_it_refuses(desk):
    desk.play(trial(), activation())
    run("A1", "--reason", "x")
    with pytest.raises(CommandError, match="undone already"):
        run("A1", "--reason", "x")
