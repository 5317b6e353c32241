"""`make bench-check`: fails if a ratio of the last run is 15 % lower than the best earlier ratio in the history.

If the last run were compared only with the previous run, a loss that grows a little with each release would be
missed.
"""

import sys

from bench.results import read_history

LOSS = 0.15
CHECKED = ("ingest", "deliver")  # the target measures these anew


def main() -> int:
    """Prints each ratio with the best earlier ratio. If a ratio has lost more than LOSS, returns 1."""
    kept: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for line in filter(lambda one: one["bench"] in CHECKED, read_history()):
        for name, value in line["ratios"].items():
            kept.setdefault((line["bench"], name), []).append((value, line["commit"]))
    lost = 0
    for (bench, name), values in kept.items():
        if len(values) < 2:
            continue
        (now, new), (best, old) = values[-1], max(values[:-1])
        too_low = now < best * (1 - LOSS)
        lost += too_low
        print(f"{'LOST' if too_low else 'kept'}  {bench}: {name}: {best:.2f} ({old}) -> {now:.2f} ({new})")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
