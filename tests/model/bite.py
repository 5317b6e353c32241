"""Removes the fixes of known defects, one at a time, and prints how many sequences the model needs to notice.

`python -m tests.model.bite [--count N] [--seed N] [NAME...]` plays at most N sequences for each fix (default 2,000).
NAME limits the fixes. If the model notices that a fix is missing, no later change can remove the fix unseen.

The fixes belong to defects (`mends.py`), to each sentence of contract 3.9, rule 19 (`mends_shape.py`), to each clause
of rules 6 (`mends_late.py`) and 18 (`mends_moving.py`), and to each sentence of contract 7.2 (`mends_doubts.py`).

If the model does not notice that a fix is missing, the test named for the fix must fail without the fix. `bite` runs
this test by pytest, with this module as a plugin that removes the fix. `--count 0` runs only the named tests.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITHOUT = "DESK_TEST_WITHOUT"  # environment variable with the name of the fix that is removed in this process
FAILED = 1  # pytest's exit code if a test failed
COUNT, PART, STEPS = 2000, 50, 40


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.model.bite")
    words.add_argument("names", nargs="*", help="parts of names")
    words.add_argument("--count", type=int, default=COUNT)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from tests.model.harness import Stage
    from tests.model.run import database

    missed = 0
    with database(), Stage() as stage:
        for name, mend in all_mends().items():
            if options.names and not any(part in name for part in options.names):
                continue
            with contextlib.ExitStack() as stack:
                mend.remove(stack)
                noticed = report(name, stage, options)
            missed += not (noticed or is_noticed_by(mend.noticed_by, name))
    print(f"{missed} missed")
    return 1 if missed else 0


def all_mends() -> dict:
    """Returns the fixes by name. Requires that Django is set up."""
    from tests.model.mends import known_defects
    from tests.model.mends_doubts import doubts
    from tests.model.mends_late import late_calls
    from tests.model.mends_moving import moves
    from tests.model.mends_shape import sentences

    return known_defects() | late_calls() | sentences() | moves() | doubts()


def report(name: str, stage, options) -> bool:
    """Returns True if the model notices that the fix `name` is missing.

    Prints the number of sequences played and the error.
    """
    began = time.process_time()
    for played, said in play(stage, options.count, options.seed):
        if said:
            print(f"{name}: within {played} ({time.process_time() - began:.0f} s): {said}", flush=True)
            return True
    print(f"{name}: NOT within {options.count} ({time.process_time() - began:.0f} s)", flush=True)
    return False


def is_noticed_by(test: str, name: str) -> bool:
    """Returns True if this test fails without the fix. The test is in tests/model or in tests/flows."""
    if not test:
        print("  no test is known to notice it", flush=True)
        return False
    file = next(place for place in (HERE / test, HERE.parent / "flows" / test) if _file_of(place).exists())
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.model.bite", "-p", "no:cacheprovider", str(file)]
    run = subprocess.run(words, env=os.environ | {WITHOUT: name}, capture_output=True, text=True, check=False)
    noticed = run.returncode == FAILED
    print(f"  {'noticed' if noticed else 'NOT noticed'} by {test}", flush=True)
    if not noticed:
        print(run.stdout[-2000:], flush=True)
    return noticed


def _file_of(test: Path) -> Path:
    return test.with_name(test.name.partition("::")[0])


@pytest.fixture(autouse=True)
def _without_the_fix() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if name := os.environ.get(WITHOUT):
            all_mends()[name].remove(stack)
        yield


def play(stage, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Plays `count` sequences in parts. Yields (number of sequences so far, error or "") after each part.

    Stops at the first error. Does not shrink the failing sequence.
    """
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.model.machine import Model

    Model.stage = stage
    for part in range(0, count, PART):
        chosen = settings(
            max_examples=PART,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
        )
        try:
            run_state_machine_as_test(hypothesis.seed(seed + part)(Model), settings=chosen)
        except Exception as error:
            yield part + PART, f"{type(error).__name__} {error}"[:160].replace("\n", " ")
            return
        yield part + PART, ""


if __name__ == "__main__":
    sys.exit(main())
