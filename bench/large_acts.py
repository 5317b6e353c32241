"""Plays every act with orders of many domains: `python -m bench.large_acts COUNT [PLAY...]`.

The plays are in tests/model/sizes.py. For the slowest act of each name, the program prints a line of JSON, `[act,
seconds, longest statement]`. `bench.large` runs the program on both databases, each in a separate process, because the
settings have only one database. A play is one transaction. On SQLite the savepoints of that transaction make updates of
many rows quadratic. A worker's transactions have no savepoints.
"""

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from tests.model.harness import Stage  # noqa: E402
from tests.model.run import database  # noqa: E402
from tests.model.sizes import PLAYS, measure  # noqa: E402


def main(count: int, *plays: str) -> None:
    """Plays the acts. If an act is refused, raises RuntimeError, because its play is wrong then."""
    slowest: dict[str, tuple[float, float]] = {}
    with database(), Stage() as stage:
        measure(stage, next(iter(PLAYS)), 10)  # warms up the caches of compiled statements
        for name in plays or PLAYS:
            for act in measure(stage, name, count):
                if "Error" in act.line:
                    raise RuntimeError(act.line)
                seconds, longest = slowest.get(act.name, (0.0, 0.0))
                slowest[act.name] = max(seconds, act.seconds), max(longest, act.longest)
    for act_name, (seconds, longest) in slowest.items():
        print(json.dumps([act_name, seconds, longest]))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
