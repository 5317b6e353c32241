"""The steps that an order causes, for each row of the contract's table (3.2)."""

import datetime

import pytest

from orders.intake.plan_or_hold import PlanFacts, build_plan, later_start
from orders.rules.local_time import in_ten_years
from orders.rules.steps import STEPS
from tests.conftest import shanghai

FETCH, CANCEL, CREATE, BPM = "fetch_usage", "cancel_trial_billing", "create_billing", "start_bpm"
CHECK, TRIAL = "check_files", "create_trial_billing"
EXTEND = "extend_trial_billing"

PLANS = [
    ("a trial", {"kind": "trial"}, [TRIAL]),
    ("a change with removed domains", {"kind": "change", "removed": True}, [CANCEL]),
    ("a change with new domains", {"kind": "change", "added": True}, [TRIAL]),
    ("a change with both", {"kind": "change", "removed": True, "added": True}, [CANCEL, TRIAL]),
    ("a change of BizEnd", {"kind": "change", "extended": True}, [EXTEND]),
    (
        "a change of everything",
        {"kind": "change", "removed": True, "added": True, "extended": True},
        [CANCEL, TRIAL, EXTEND],
    ),
    ("a change of DataFlow", {"kind": "change"}, []),
    ("first, now", {"first": True}, [FETCH, CANCEL, CREATE, BPM]),
    ("first, now, files", {"first": True, "files": True}, [CHECK, FETCH, CANCEL, CREATE, BPM]),
    ("first, later", {"first": True, "later": True}, [FETCH, CREATE, BPM, CANCEL + "@start"]),
    (
        "first, later, files",
        {"first": True, "later": True, "files": True},
        [CHECK, FETCH, CREATE, BPM, CANCEL + "@start"],
    ),
    ("subsequent", {"first": False}, [BPM, CREATE + "@approval"]),
    ("subsequent, files", {"first": False, "files": True}, [CHECK, BPM, CREATE + "@approval"]),
    ("subsequent, later", {"first": False, "later": True}, [BPM, CREATE + "@approval"]),
    ("subsequent, at once", {"first": False, "billing_at_once": True}, [BPM, CREATE]),
]


@pytest.mark.parametrize("facts, steps", [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_the_steps_of_an_order_are(facts, steps):
    plan = build_plan(PlanFacts(**{"kind": "activation", **facts}))
    assert [step.step + (f"@{step.gate}" if step.gate else "") for step in plan] == steps


@pytest.mark.parametrize("facts", [row[1] for row in PLANS], ids=[row[0] for row in PLANS])
def test_only_traffic_holds_up_nothing(facts):
    for step in build_plan(PlanFacts(**{"kind": "activation", **facts})):
        assert STEPS[step.step].blocking == (step.step != FETCH)


@pytest.mark.parametrize("facts", [row[1] for row in PLANS], ids=[row[0] for row in PLANS])
def test_what_touches_the_trials_records_stands_in_its_line(facts):
    """Each step that changes the trial's billing records runs one at a time with the others (contract 3.9, 2: One line
    per trial).
    """
    for step in build_plan(PlanFacts(**{"kind": "activation", **facts})):
        assert STEPS[step.step].serialised_per_trial == (step.step in {TRIAL, CANCEL, EXTEND})


@pytest.mark.parametrize(
    "day, start",
    [
        ("2023-09-19", None),
        ("2023-09-20", None),
        ("2023-09-21", "2023-09-21 00:00:00"),
        ("2023-09-30", "2023-09-30 00:00:00"),
    ],
)
@pytest.mark.parametrize("now", ["2023-09-20 00:00:00", "2023-09-20 07:59:59", "2023-09-20 23:59:59"])
def test_a_start_is_later_from_tomorrow_on_by_the_day_of_shanghai(day, start, now):
    found = later_start(datetime.date.fromisoformat(day), shanghai(now))
    assert found == (start and shanghai(start))


@pytest.mark.parametrize(
    "t, end",
    [
        ("2023-09-20 18:54:36", "2033-09-20 18:54:36"),
        ("2024-02-29 10:00:00", "2034-02-28 10:00:00"),
        ("2024-02-28 23:59:59", "2034-02-28 23:59:59"),
        ("2024-03-01 00:00:00", "2034-03-01 00:00:00"),
        ("2024-02-29 00:30:00", "2034-02-28 00:30:00"),
    ],
)
def test_ten_years_later_29_february_becomes_the_28th(t, end):
    utc = shanghai(t).astimezone(datetime.UTC)  # in UTC, half past midnight in Shanghai is still the day before
    assert in_ten_years(utc) == shanghai(end)
