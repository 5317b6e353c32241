"""`make bench-check`: fails if a ratio of the last run is 15 % lower than the one before it in the history."""

import sys

from bench.results import read_history

LOSS = 0.15
CHECKED = ("ingest", "deliver")  # the target measures these anew


def main() -> int:
    """Prints each ratio with the one before it. Returns 1 if one of them has lost too much."""
    last: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for line in filter(lambda one: one["bench"] in CHECKED, read_history()):
        for name, value in line["ratios"].items():
            last.setdefault((line["bench"], name), []).append((value, line["commit"]))
    lost = 0
    for (bench, name), values in last.items():
        if len(values) < 2:
            continue
        (before, old), (now, new) = values[-2:]
        too_low = now < before * (1 - LOSS)
        lost += too_low
        print(f"{'LOST' if too_low else 'kept'}  {bench}: {name}: {before:.2f} ({old}) -> {now:.2f} ({new})")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
