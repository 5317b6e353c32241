"""The commands `check_attachments`, `waive` and `attribute`: what they do, print and refuse (contract 5)."""

import getpass
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from approvals.models import ApprovalRecord
from orders.attachments.xlsx import ProbeError
from orders.models import Order
from tests.bboss.conftest import TRIAL
from tests.factories import NOW, OrderFactory, fresh
from tests.files import books
from tests.files.conftest import check_of, receive

LOST = TRIAL | {"EnterpriseID": "000A23100079275183"}


def said(capsys):
    return capsys.readouterr().out.splitlines()


def test_check_tells_what_is_wrong(capsys, order):
    with pytest.raises(CommandError, match="^1 not right$") as refusal:
        call_command("check_attachments")
    assert refusal.value.returncode == 1
    assert said(capsys) == [
        f"{order.number}: not right: missing: {order.info_security}: no such file in the attachment folder",
        "1 looked at: 0 right, 1 not right; 1 queued for the worker",
    ]
    assert NOW < check_of(order).next_try_at <= timezone.now()


def test_check_tells_what_is_right_and_counts_both(held, folder, capsys):
    order, other = held(), held()
    books.write(folder, order.info_security, books.book())
    call_command("check_attachments", order.number)
    assert said(capsys) == [f"{order.number}: right", "1 looked at: 1 right, 0 not right; 1 queued for the worker"]
    assert check_of(other).next_try_at < timezone.now()
    with pytest.raises(CommandError, match="^1 not right$"):
        call_command("check_attachments")
    told = said(capsys)
    assert [line.split(": ")[:2] for line in told[:2]] == [[order.number, "right"], [other.number, "not right"]]
    assert told[2] == "2 looked at: 1 right, 1 not right; 2 queued for the worker"


def test_check_without_held_orders(db, capsys):
    call_command("check_attachments")
    assert said(capsys) == ["0 looked at: 0 right, 0 not right; 0 queued for the worker"]


def test_check_refuses_before_it_does_anything(held):
    order, other = held(), OrderFactory()
    before = check_of(order).next_try_at
    with pytest.raises(CommandError, match="unknown: nobody"):
        call_command("check_attachments", order.number, "nobody")
    with pytest.raises(CommandError, match=f"order {other.number} is not held for its files"):
        call_command("check_attachments", order.number, other.number)
    assert check_of(order).next_try_at == before


def test_check_that_can_not_look(monkeypatch, order):
    broken = Mock(side_effect=ProbeError("no verdict"))
    monkeypatch.setattr("integrations.management.commands.check_attachments.check_files", broken)
    with pytest.raises(CommandError, match=f"{order.number}: the files can't be looked at: no verdict"):
        call_command("check_attachments")


def test_waive(capsys, order):
    call_command("waive", order.number, "--reason", "已线下审核")
    who = f"command:{getpass.getuser()}"
    assert said(capsys) == [f"{order.number}: finding waived by {who} (state in_progress)"]
    assert ApprovalRecord.objects.get().operator == who


@pytest.mark.parametrize("by, actor", [(["--by", "lisi"], "command:lisi"), ([], "command:unknown")])
def test_waive_by_somebody_and_where_the_machine_knows_no_name(order, monkeypatch, by, actor):
    monkeypatch.setattr(getpass, "getuser", Mock(side_effect=KeyError("uid not found")))
    call_command("waive", order.number, "--reason", "已线下审核", *by)
    assert order.events.get(kind="waived").actor == actor


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["nobody", "--reason", "x"], "order nobody is unknown"),
        (["{order}", "--reason", "x"], "is not held for its files"),
        (["{order}", "--reason", " "], "a reason is needed"),
        (["{order}"], "--reason"),
        ([], "order"),
    ],
)
def test_waive_refuses(db, arguments, why):
    order = OrderFactory()
    with pytest.raises(CommandError, match=why):
        call_command("waive", *[argument.format(order=order.number) for argument in arguments])


@pytest.mark.parametrize("letters", ["BJ", "bj"])
def test_attribute(db, capsys, letters):
    order = receive(LOST)
    assert order.held_because == "attribution_unknown"
    call_command("attribute", order.number, letters, "--reason", "客户在北京", "--by", "lisi")
    assert said(capsys) == ["100T1: attribution BJ chosen by command:lisi (state in_progress)"]
    assert (fresh(order).state, order.attribution_id) == ("in_progress", "BJ")
    event = order.events.get(kind="attribution_chosen")
    assert (event.actor, event.data) == ("command:lisi", {"letters": "BJ", "reason": "客户在北京"})


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["nobody", "BJ", "--reason", "x"], "order nobody is unknown"),
        (
            ["100T1", "XX", "--reason", "x"],
            "attribution 'XX' is unknown; choose one of AH, BJ, .*, GJ, .*, JT, .*, ZJ$",
        ),
        (["100T1", "BJ", "--reason", " "], "a reason is needed"),
        (["100T1", "BJ"], "--reason"),
    ],
)
def test_attribute_refuses(db, arguments, why):
    receive(LOST)
    with pytest.raises(CommandError, match=why):
        call_command("attribute", *arguments)
    assert Order.objects.get().held_because == "attribution_unknown"


def test_attribute_of_an_order_that_has_one(db):
    receive(TRIAL)
    with pytest.raises(CommandError, match="is not held for its attribution"):
        call_command("attribute", "100T1", "GD", "--reason", "x")
