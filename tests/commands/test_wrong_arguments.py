"""Every command exits non-zero with one clear line if an argument is wrong (contract section 5), as from a terminal."""

import pytest
from django.core.management.base import CommandParser

from project.start.command_line import run
from tests.flows.conftest import desk  # noqa: F401  a fixture
from tests.flows.contents import trial

WRONG = {
    "show": ["show", "NOBODY"],
    "resend": ["resend"],
    "resend, no day": ["resend", "--failed", "--since", "yesterday"],
    "resend, no channel": ["resend", "T1", "--channel", "pigeon"],
    "stuck, no day": ["stuck", "--since", "yesterday"],
    "status": ["status", "--yaml"],
    "give_up": ["give_up", "T1", "--reason", "x"],
    "give_up, no reason": ["give_up", "T1"],
    "take": ["take", "NOBODY", "--reason", "x"],
    "accept": ["accept", "NOBODY", "--reason", "x"],
    "decide": ["decide", "T1", "pass", "--reason", "x"],
    "decide, nothing": ["decide", "T1", "--reason", "x"],
    "withdraw": ["withdraw", "NOBODY", "--reason", "x"],
    "withdraw, both ways": ["withdraw", "T1", "--reason", "x", "--cancel", "--delete"],
    "withdraw, no choice": ["withdraw", "T1", "--reason", "x", "--cancel"],
    "proceed": ["proceed", "T1", "--reason", "x"],
    "name_domains": ["name_domains", "T1", "a.cn", "--reason", "x"],
    "name_domains, none": ["name_domains", "T1", "--reason", "x"],
    "own": ["own", "T1", "--to", "nobody.of.ours"],
    "own, nothing": ["own", "--nobody"],
    "own, no whom": ["own", "T1"],
    "waive": ["waive", "T1", "--reason", "x"],
    "waive, no reason": ["waive", "T1"],
    "attribute": ["attribute", "T1", "XX", "--reason", "x"],
    "deliver": ["deliver", "--workers", "many"],
    "activate": ["activate"],
    "move_start": ["move_start", "T1", "20330101", "--reason", "x"],
    "move_start, no day": ["move_start", "T1", "2033-01-01", "--reason", "x"],
    "move_end": ["move_end", "T1", "20230919", "--reason", "x"],
    "move_end, no day": ["move_end", "T1", "2033-01-01", "--reason", "x"],
    "compensate": ["compensate", "T1", "--reason", "x"],
    "fetch_usage": ["fetch_usage", "NOBODY"],
    "reconcile": ["reconcile", "NOBODY"],
    "reconcile, no day": ["reconcile", "--since", "yesterday"],
    "check_attachments": ["check_attachments", "T1"],
    "partners": ["partners", "pry"],
    "partners check, no file": ["partners", "check", "/nowhere/partners.toml"],
    "partners read, no call": ["partners", "read", "bigdata.pst", "manage.py"],
    "partners read, no file": ["partners", "read", "bigdata.post", "/nowhere/answer.json"],
    "sign_message": ["sign_message", "/nowhere/order.json"],
    "send_order": ["send_order", "/nowhere/order.json"],
    "sandbox": ["sandbox", "--port", "99999"],
    "import_trials": ["import_trials", "/nowhere/trials.xlsx"],
    "import_trials, no workbook": ["import_trials", "manage.py"],
    "export": ["export", "people", "people.xlsx"],
    "export, no filter": ["export", "orders", "orders.xlsx", "--query", "colour=red"],
    "export, no format": ["export", "orders", "orders.pdf"],
    "export, no folder": ["export", "orders", "/nowhere/orders.xlsx"],
    "prune": ["prune", "--older-than", "1"],
    "setup_schedules": ["setup_schedules", "now"],
    "worker": ["worker", "--for-ever"],
    "version": ["version", "--yaml"],
    "migrate": ["migrate", "no_app_of_ours"],
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_told_in_one_line(desk, capsys, monkeypatch, case):  # noqa: F811
    # keeps the connections of the test open
    monkeypatch.setattr("django.core.management.base.connections.close_all", lambda: None)
    # so that monkeypatch restores what `run` changes
    monkeypatch.setattr(CommandParser, "print_usage", CommandParser.print_usage)
    desk.post(trial("T1"))
    capsys.readouterr()  # removes the output of that call
    with pytest.raises(SystemExit) as ended:  # any other exception would be printed as a traceback
        run(["manage.py", *WRONG[case]])
    [told] = capsys.readouterr().err.splitlines()
    assert ended.value.code in {1, 2}
    assert told.startswith(("CommandError: ", f"manage.py {WRONG[case][0]}: error: "))
