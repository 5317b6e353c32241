"""Long commands show a progress bar on stderr if it is a terminal. Output to a file or pipe has no bar, and stdout
never has one.
"""

import io

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from orders.management import progress
from tests import factories as make
from tests.admin.orders import failed
from tests.entering.workbooks import row, workbook
from tests.flows.conftest import desk  # noqa: F401  a fixture
from tests.flows.test_breaker import trial


def make_due(desk, folder):  # noqa: F811
    desk.post(trial("T1"))
    return ["deliver"], "calls"


def make_failed(desk, folder):  # noqa: F811
    failed()
    return ["resend", "--failed"], "orders"


def make_billed(desk, folder):  # noqa: F811
    desk.play(trial("T1"))
    return ["reconcile"], "orders"


def make_trial(desk, folder):  # noqa: F811
    desk.play(trial("T1"))
    return ["fetch_usage"], "trials"


def make_old(desk, folder):  # noqa: F811
    make.InboundMessageFactory(received_at=make.NOW.replace(year=2022))
    return ["prune", "--older-than", "30"], "rows removed"


def make_orders(desk, folder):  # noqa: F811
    make.OrderFactory()
    return ["export", "orders", str(folder / "out.csv")], "rows"


def make_workbook(desk, folder):  # noqa: F811
    (folder / "in.xlsx").write_bytes(workbook(row("T1")))
    return ["import_trials", str(folder / "in.xlsx"), "--dry-run"], "rows"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(words, stderr):
    """Runs the command and returns its output on stdout."""
    stdout = io.StringIO()
    try:
        call_command(*words, stdout=stdout, stderr=stderr, force_color=True)
    except CommandError as error:
        return stdout.getvalue() + str(error)
    return stdout.getvalue()


MAKERS = [make_due, make_failed, make_billed, make_trial, make_old, make_orders, make_workbook]


@pytest.mark.parametrize("prepare", MAKERS, ids=lambda maker: maker.__name__)
def test_a_terminal_gets_a_bar_that_disappears(desk, tmp_path, monkeypatch, prepare):  # noqa: F811
    monkeypatch.setattr(progress, "SECONDS", 0)
    words, unit = prepare(desk, tmp_path)
    terminal = Terminal()
    said = run(words, terminal)
    drawn = terminal.getvalue()
    assert unit in drawn
    assert "\x1b[31" not in drawn, "errors are red, a bar is not"
    assert drawn.rpartition("\r")[2].strip() == ""
    assert "\r" not in said
    assert "|" not in said


@pytest.mark.parametrize("prepare", MAKERS, ids=lambda maker: maker.__name__)
def test_what_is_kept_holds_none(desk, tmp_path, monkeypatch, prepare):  # noqa: F811
    monkeypatch.setattr(progress, "SECONDS", 0)
    words, _unit = prepare(desk, tmp_path)
    kept = io.StringIO()
    said = run(words, kept)
    assert said
    assert kept.getvalue() == ""


def test_who_is_done_soon_shows_none():
    terminal = Terminal()
    with progress.Progress(OutputWrapper(terminal), "rows", 10) as bar:
        for done in range(10):
            bar.reach(done)
    assert terminal.getvalue().strip() == ""


@pytest.mark.parametrize("terminal, counted", [(True, [10]), (False, [])])
def test_rows_are_counted_for_a_terminal_alone(terminal, counted):
    stderr, counts = Terminal() if terminal else io.StringIO(), []
    with progress.Progress(OutputWrapper(stderr), "rows", lambda: counts.append(10) or 10):
        pass
    assert counts == counted


def test_lines_on_stdout_stand_beside_the_bar(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0)
    terminal = Terminal()
    with progress.Progress(OutputWrapper(terminal), "rows", 2) as bar:
        with bar.aside():
            terminal.write("a line\n")
        bar.reach(1)
    before, _line, after = terminal.getvalue().partition("a line\n")
    assert before.rpartition("\r")[2].strip() == ""
    assert "rows" in after
