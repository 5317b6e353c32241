"""The pure parts of the demo: the cases moved to today, and the comparison. .ci/run runs `make demo` itself."""

import copy
import datetime

import openpyxl
import pytest

from project.demo.cases import FIRST_DAY, load_cases, make_file
from project.demo.compare import expected_states, unexpected

LEAP_DAY = datetime.date(2028, 2, 29)


def test_the_cases_own_day_moves_nothing(case):
    assert load_cases(FIRST_DAY) == [{"number": number} | case(number) for number in (1, 2, 3)]


def test_days_move_and_names_stay(case):
    one, two, three = load_cases(LEAP_DAY)
    assert [content["BizStart"] for content in (one["content"], two["content"], three["content"])] == [
        "20280229",
        "20280229",
        "20280310",
    ]
    assert one["setup"][0]["BizStart"] == "20280229"
    assert one["content"]["OrderNum"] == case(1)["content"]["OrderNum"]
    assert two["files"] == case(2)["files"]


def test_what_a_later_start_expects_moves_too():
    expect = load_cases(LEAP_DAY)[2]["expect"]
    assert {entry["createTime"] for entry in expect["billing"][0]} == {"20280310000000"}
    assert expect["bpm"][0]["data"]["tyywrwlcdx"]["businessStartTime"] == "2028-03-10 00:00:00"
    assert expect["schedule"]["name"] == "BBossOrderJob_100A230920170130001_20280309160000"


def as_expected(case):
    """Standings and partners' state that agree with a case in everything."""
    states, expect = expected_states(case), copy.deepcopy(case["expect"])
    rows = [{"order": number, "state": state, "incidents": [], "steps": []} for number, state in states.items()]
    standings = [row | {"schedule": None} for row in rows]
    standings[-1]["schedule"] = expect.get("schedule")
    batches = expect.get("billing", []) + expect.get("billing_after_approval", [])
    processes = [{"code": case["content"]["OrderNum"], "body": expect["bpm"][0]}]
    return standings, {"records": [row for batch in batches for row in batch], "processes": processes, "violations": []}


@pytest.fixture(params=[1, 2, 3])
def played(request, case):
    """A case with an outcome that agrees with it."""
    found = case(request.param)
    return found, *as_expected(found)


def test_agreement(played):
    assert unexpected(*played) == []


def test_a_wrong_state(played):
    played[1][-1]["state"] = "failed"
    assert "is failed, not" in unexpected(*played)[0]


def test_a_wrong_record(played):
    played[2]["records"][0]["province"] = "998"
    assert "province is '998', not '100'" in unexpected(*played)[0]


def test_a_missing_record(played):
    del played[2]["records"][0]
    assert unexpected(*played)[0].endswith("is missing")


def test_a_record_too_many(played):
    extra = played[2]["records"][0] | {"domain": "other.example.com"}
    played[2]["records"].append(extra)
    assert unexpected(*played)[0].endswith("is there, but not expected")


def test_a_wrong_bpm_message(played):
    body = played[2]["processes"][0]["body"]
    body["data"].get("tyywrwlcdx", body["data"])["domains"].append("other.example.com")
    assert "domains is" in unexpected(*played)[0]


def test_no_bpm_process(played):
    played[2]["processes"].clear()
    assert "0 BPM processes" in unexpected(*played)[0]


def test_a_wrong_schedule(played):
    played[1][-1]["schedule"] = {"name": "other"}
    assert "has the schedule other" in unexpected(*played)[0]


def test_a_wrong_later_start(case):
    three = case(3)
    standings, partners = as_expected(three)
    partners["records"][0]["createTime"] = "20230920194051"
    assert "createTime is '20230920194051', not '20230930000000'" in unexpected(three, standings, partners)[0]


def test_a_broken_rule_at_the_sandbox(played):
    played[2]["violations"].append({"kind": "key_reused", "detail": "..."})
    assert "key_reused" in unexpected(*played)[0]


def test_files_are_real(tmp_path):
    make_file(tmp_path / "a.xlsx")
    assert len(list(openpyxl.load_workbook(tmp_path / "a.xlsx").active.rows)) == 2
