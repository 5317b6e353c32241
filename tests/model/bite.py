"""Removes the fixes of known defects, one at a time, and says after how many sequences the model notices.

`python -m tests.model.bite [--count N] [--seed N] [NAME...]`: at most N sequences for each (2,000), all or those
named. If the model notices a missing fix, no later change can remove that fix unseen. Each sentence of contract 3.9, 19
counts as a fix (`mends_shape.py`). Where the model does not notice it, the test that does is named.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator

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
    from tests.model.mends import known_defects
    from tests.model.mends_shape import sentences
    from tests.model.run import database

    missed = 0
    with database(), Stage() as stage:
        for name, mend in (known_defects() | sentences()).items():
            if options.names and not any(part in name for part in options.names):
                continue
            with contextlib.ExitStack() as stack:
                mend.remove(stack)
                missed += not report(name, mend.noticed_by, stage, options)
    print(f"{missed} missed")
    return 1 if missed else 0


def report(name: str, test: str, stage, options) -> bool:
    """Plays until the model notices; prints after how many sequences at most, and what the model said.

    True if it noticed, or if a test (`test`) does.
    """
    began = time.process_time()
    for played, said in play(stage, options.count, options.seed):
        if said:
            print(f"{name}: within {played} ({time.process_time() - began:.0f} s): {said}", flush=True)
            return True
    noticed = f"noticed by {test}" if test else "no test is known to notice it"
    print(f"{name}: NOT within {options.count} ({time.process_time() - began:.0f} s); {noticed}", flush=True)
    return bool(test)


def play(stage, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Yields (sequences so far, what was wrong) for each part, without shrinking."""
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
