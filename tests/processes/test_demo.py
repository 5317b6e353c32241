"""Tests that the commands which `make demo` prints for another terminal work there as printed."""

import os
import re
import subprocess

import pytest

from tests.harness.children import ROOT, Children
from tests.harness.waiting import until

pytestmark = pytest.mark.processes
LINE = re.compile(r"^  (?:(set -a;.*)|(?:post an order|refuse one|approve one)\s+(.*))$", re.MULTILINE)
SET_BY_TESTS = re.compile(r"DESK_|DJANGO_|[A-Z]+_(URL|DIR|SECRET|TOKENS|RATE)$|SECRET_KEY|DEFAULT_|DEBUG")


@pytest.fixture(scope="module")
def printed(postgres, tmp_path_factory):
    """Yields the output so far of a demo that keeps running. Ends the demo afterwards."""
    if postgres:
        pytest.skip("the demo has an embedded database")
    with Children(tmp_path_factory.mktemp("demo")) as children:
        demo = children.start("demo", "-m", "tests.demo", DEMO_EXIT="")
        children.until(lambda: "Ctrl-C ends it" in children.log("demo") or demo.poll() is not None, seconds=600)
        assert demo.poll() is None, children.log("demo")
        yield children.log("demo")
        assert children.stop("demo") == 0


def shell(*lines: str) -> str:
    """Runs lines in a shell that has none of the tests' settings. Returns its output. The lines must not fail."""
    clean = {name: value for name, value in os.environ.items() if not SET_BY_TESTS.match(name)}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_three_commands_work_as_printed(printed):
    [environment, post, refuse, approve] = [first or second for first, second in LINE.findall(printed)]
    assert '"rspCode":"00000"' in shell(environment, post)
    for command, state in ((refuse, "rejected"), (approve, "active")):
        number = re.search(r"100A\d+", command)[0]
        shell(environment, command)
        show = f".venv/bin/python manage.py show {number}"
        until(lambda: f"({state})" in shell(environment, show), what=f"{number} is {state}", every=0.5)  # noqa: B023


def test_the_file_says_every_setting(printed):
    told = shell("set -a; . .demo/env; set +a", ".venv/bin/python manage.py settings")
    origins = {line.split()[1] for line in told.splitlines() if not line.startswith("ANYMAIL")}
    assert origins == {"environment"}
