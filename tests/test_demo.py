"""The demo's cases, shifted so that they begin today, and its comparison of the results. .ci/run runs `make demo`
itself.
"""

import copy
import datetime
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.demo.cases import FIRST_DAY, load_cases, unexpected
from tests.harness.children import ROOT

LEAP_DAY = datetime.date(2028, 2, 29)


def test_the_cases_own_day_moves_nothing(case):
    assert load_cases(FIRST_DAY) == [{"number": number} | case(number) for number in (1, 2, 3)]


def test_days_move_and_names_stay(case):
    one, two, three = load_cases(LEAP_DAY)
    days = [content["BizStart"] for content in (one["setup"][0], one["content"], two["content"], three["content"])]
    assert days == ["20280229", "20280229", "20280229", "20280310"]
    assert one["content"]["OrderNum"] == case(1)["content"]["OrderNum"]
    assert two["files"] == case(2)["files"]


def test_what_a_later_start_expects_moves_too():
    expect = load_cases(LEAP_DAY)[2]["expect"]
    assert {entry["createTime"] for entry in expect["billing"][0]} == {"20280310000000"}
    assert expect["bpm"][0]["data"]["tyywrwlcdx"]["businessStartTime"] == "2028-03-10 00:00:00"
    assert expect["schedule"]["name"] == "BBossOrderJob_100A230920170130001_20280309160000"


STATES = {1: ["converted", "active"], 2: ["active"], 3: ["trialing", "applied", "scheduled"]}


def outcome(found: dict, number: int) -> tuple[list[dict], dict]:
    """Returns orders and a state of the partners that agree with everything that a case expects."""
    expect = copy.deepcopy(found["expect"])
    standings = [{"state": state, "incidents": [], "schedule": None} for state in STATES[number]]
    standings[-1]["schedule"] = expect.get("schedule")
    batches = expect.get("billing", []) + expect.get("billing_after_approval", [])
    processes = [{"code": found["content"]["OrderNum"], "body": expect["bpm"][0]}]
    return standings, {"records": [row for batch in batches for row in batch], "processes": processes, "violations": []}


WRONG = [
    ("states", lambda standings, partners: standings[-1].update(state="failed")),
    ("incidents", lambda standings, partners: standings[0]["incidents"].append({"code": "http_503"})),
    ("schedule", lambda standings, partners: standings[-1].update(schedule={"name": "other"})),
    ("record", lambda standings, partners: partners["records"][0].update(province="998")),
    ("record", lambda standings, partners: partners["records"].pop()),
    ("record", lambda standings, partners: partners["records"].append(partners["records"][0] | {"domain": "x"})),
    ("BPM", lambda standings, partners: partners["processes"][0]["body"].update(flowKey="other")),
    ("BPM", lambda standings, partners: partners["processes"].clear()),
    ("broken rules", lambda standings, partners: partners["violations"].append({"kind": "key_reused"})),
]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_verdict_names_what_is_not_as_expected(case, number):
    found = case(number)
    assert unexpected(found, *outcome(found, number)) == []
    for named, change in WRONG:
        standings, partners = outcome(found, number)
        change(standings, partners)
        [line] = unexpected(found, standings, partners)
        assert line.startswith(named)


def test_only_a_later_starts_moment_is_known_in_advance(case):
    for number, lines in ((2, 0), (3, 1)):
        found = case(number)
        standings, partners = outcome(found, number)
        partners["records"][0]["createTime"] = "20230920194051"
        assert len(unexpected(found, standings, partners)) == lines


def test_a_demo_needs_only_what_the_desk_runs_on():
    """`make demo` installs only requirements.txt, so the demo must not import a library that only the tests need."""
    script = "import sys, tests.demo.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    belongs = packages_distributions()
    imported = {name.lower().replace("_", "-") for module in run.stdout.split() for name in belongs.get(module, [])}
    locked = (ROOT / "requirements.txt").read_text()
    assert "requests" in imported
    imported.discard("setuptools")  # some environments have imported it from the beginning
    assert {name for name in imported if f"\n{name}==" not in f"\n{locked}"} == set()
