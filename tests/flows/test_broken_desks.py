"""Orders are broken on purpose: `status` notices, `stuck` names the order, and the commands of docs/operations.md
repair it."""

import datetime
import pathlib
import shlex

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from project.observability.status_report import desk_status
from tests import factories
from tests.commands.test_work import run
from tests.flows.conftest import BILLING, DELETE, code_of
from tests.flows.contents import activation, change, trial, withdrawal

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
A, B = "a.example.com", "b.example.com"


def refused_trial(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A), activation("A1"))


def refused_restore(desk):
    desk.play(trial("T1", A), activation("A1"))
    desk.sandbox.fault(path=BILLING, kind="refusal", count=9)
    desk.play(withdrawal("A1"))


def refused_deletion(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", B))
    desk.sandbox.fault(path=DELETE, kind="refusal", count=9)
    desk.play(withdrawal("A1"))


def lost_record(desk):
    desk.play(trial("T1", A), activation("A1"))
    store = desk.sandbox.partners.store
    store.delete_record(store.records("A1")[0])
    assert code_of("reconcile") == 1


def unknown_trial(desk):
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=9)
    desk.play(trial("T1", A), change("C1", B))
    desk.wait_out()


def late_withdrawal(desk):
    desk.play(trial("T1", A), activation("A1"))
    desk.at("2023-10-20 09:00:00")
    desk.play(withdrawal("A1"), activation("A2", B))


def closed_trial(desk):
    desk.play(trial("T1", A), withdrawal("T1"), activation("A1"), change("C1", B))


# for each way to break orders: (the orders that are stuck, the commands that repair them)
DESKS = {
    refused_trial: ({"T1", "A1"}, ["give_up T1", "withdraw A1"]),
    refused_restore: ({"A1", "T1"}, ["give_up A1"]),
    refused_deletion: ({"A1"}, ["give_up A1", "accept A1 billed_not_active"]),
    lost_record: ({"A1"}, ["reconcile A1 --fix", "reconcile A1"]),
    unknown_trial: ({"T1", "C1"}, ["resend T1"]),
    late_withdrawal: ({"A1", "A2"}, ["withdraw A1 --cancel", "proceed A2"]),
    closed_trial: ({"A1", "C1"}, ["proceed A1", "withdraw C1"]),
}


def wrong() -> list[str]:
    """Returns the problems with orders that `status` prints. The test has no worker, so a heartbeat is created and the
    queue is emptied."""
    OrmQ.objects.all().delete()
    factories.HeartbeatFactory(seen_at=timezone.now())
    return desk_status(timezone.now() + datetime.timedelta(seconds=1))["reasons"]


@pytest.mark.parametrize("broken", DESKS, ids=lambda broken: broken.__name__)
def test_it_is_found_named_and_mended(desk, capsys, broken):
    stuck, commands = DESKS[broken]
    broken(desk)
    assert wrong()
    code, out = run(capsys, "stuck")
    assert code == 1
    assert {line.split()[1] for line in out.splitlines() if "T" in line.split()[0]} == stuck
    for line in commands:
        name, *words = shlex.split(line)
        assert f"`{name}" in PAGE
        reason = [] if name == "reconcile" else ["--reason", "客户经理确认"]
        run(capsys, name, *words, *reason)
        desk.wait_out()
    assert run(capsys, "stuck") == (0, "0 orders need somebody\n")
    assert wrong() == []
