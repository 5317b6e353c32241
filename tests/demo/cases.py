"""Loads the three acceptance cases (tests/cases), shifted so that their first day is today, and compares results with
them.
"""

import datetime
import json
import re

from orders.rules.local_time import SHANGHAI
from tests.harness.children import ROOT

FIRST_DAY = datetime.date(2023, 9, 20)
FORMATS = {
    "BizStart": "%Y%m%d",
    "BizEnd": "%Y%m%d",
    "createTime": "%Y%m%d%H%M%S",
    "businessStartTime": "%Y-%m-%d %H:%M:%S",
}
SCHEDULE_NAME = re.compile(r"(BBossOrderJob_.+_)(\d{14})")
MOMENTS = {"createTime", "cancelTime", "createDate", "create_time", "businessStartTime"}
STARTS = {"createTime", "businessStartTime"}  # these times are known in advance if the business starts on a later day


def load_cases(today: datetime.date | None = None) -> list[dict]:
    """Returns the cases in order, each with its number, as if their first day were today in Shanghai.

    Order numbers and file names stay the same, although they contain days.
    """
    days = (today or datetime.datetime.now(SHANGHAI).date()) - FIRST_DAY
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "cases").glob("case*.json"))]

    def shifted(members: list[tuple]) -> dict:
        return {name: _shifted(name, value, days) for name, value in members}

    return [{"number": number} | json.loads(text, object_pairs_hook=shifted) for number, text in enumerate(texts, 1)]


def _shifted(name: str, value: object, days: datetime.timedelta) -> object:
    """Returns a member's value, shifted by `days`. A value that is no time, such as a remark in the case, stays the
    same.
    """
    if name == "name" and (found := SCHEDULE_NAME.fullmatch(value)):
        return found[1] + _shifted("createTime", found[2], days)
    try:
        return (datetime.datetime.strptime(value, FORMATS[name]) + days).strftime(FORMATS[name])
    except (KeyError, ValueError):
        return value


def orders_to_try() -> list[dict]:
    """Returns a trial that a person can post, and two later activations of case 1's trial that wait for BPM's
    decision.
    """
    one, two, _ = load_cases()
    trial, activation = one["setup"][0], two["content"]
    files = dict.fromkeys(("InfoSecurity", "InfoSecurityTable", "BusiInfo"), "")
    waiting = [
        activation | files | {"OrderNum": f"100A230920170{n}001", "ProvContent": [{"ProvReq": f"try-{n}.example.com"}]}
        for n in (132, 133)
    ]
    return [trial | {"OrderNum": "100A230920170131001", "ProvContent": [{"ProvReq": "try-131.example.com"}]}, *waiting]


def unexpected(case: dict, standings: list[dict], partners: dict) -> list[str]:
    """Compares the case's orders (`show --json`) and the sandbox's state with what the case expects. Returns a line
    for each difference.

    Times are left out, except those of a start on a later day.
    """
    expect, number, last = case["expect"], case["content"]["OrderNum"], standings[-1]
    later = "schedule" in expect
    end = {"1": "trialing" if later else "converted", "2": "applied"}
    states = [end[content["OrderType"]] for content in case.get("setup", [])] + ["scheduled" if later else "active"]
    batches = (*expect.get("billing", []), *expect.get("billing_after_approval", []))
    wanted = {(record["jobId"], record["domain"]): record for batch in batches for record in batch}
    jobs = {job for job, _ in wanted}
    found = {(record["jobId"], record["domain"]): record for record in partners["records"] if record["jobId"] in jobs}
    rows = {
        "states": (states, [row["state"] for row in standings]),
        "incidents": ([], [incident for row in standings for incident in row["incidents"]]),
        "schedule": (expect.get("schedule", {}).get("name"), (last["schedule"] or {}).get("name")),
        "BPM messages": (expect["bpm"], [row["body"] for row in partners["processes"] if row["code"] == number]),
        "broken rules": ([], partners["violations"]),
    } | {" ".join(("record", *key)): (wanted.get(key), found.get(key)) for key in sorted(wanted | found)}
    left_out = MOMENTS - STARTS if later else MOMENTS
    compared = {what: [without(left_out, value) for value in pair] for what, pair in rows.items()}
    return [f"{what}: {is_now}, not {should}" for what, (should, is_now) in compared.items() if is_now != should]


def without(names: set[str], value: object) -> object:
    """Returns the value without the members of these names, at any depth."""
    if isinstance(value, dict):
        return {key: without(names, inner) for key, inner in value.items() if key not in names}
    return [without(names, inner) for inner in value] if isinstance(value, list) else value
