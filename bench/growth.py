"""The desk's work with a growing number of finished orders.

Run `python -m bench.growth [--counts 1000 100000 1000000] [--rounds 5]`.

The benchmark needs PostgreSQL. It uses a database for each count, filled by the function of `bench.admin`. In each
round each part runs on all databases alternately, so that a busy machine affects all of them. The result is, for each
count, the median divided by the median of the first count. It must be at most 1.3.
"""

import argparse
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings

from bench import environment  # noqa: F401  sets Django up
from bench.admin import ask, fill_one, sign_in
from bench.claim import CLAIM, CLAIMS_TOGETHER, PARTS, SWEEP, run_and_undo
from bench.deliver import MILLISECONDS
from bench.desk import Desk, copied_database, switch
from bench.orders import clear_queue, make_trials, post_activations
from bench.reconcile import put_there
from bench.results import append, spread
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.delivery.loop import drain
from integrations.sandbox.store import Store
from orders.models import Attempt, BillingRecord, Dispatch, Order

COUNTS = [1000, 100_000, 1_000_000]
LIMIT = 1.3
POSTED = 40  # activations in a round
COMPARED = 100  # trials with a record each, the same in each round
TRIES = 3  # tries in a round; the fastest counts
APART = 1_000_000  # distance of the trial numbers of two databases, since the databases share a sandbox


@dataclass
class Place:
    """A database of `count` orders. `number` is the number of the next trial."""

    way: BaseDatabaseWrapper
    count: int
    number: int
    client: Client
    pages: dict[str, str]
    compared: tuple[str, ...]
    sandbox: str

    def intake(self) -> float:
        """Returns the milliseconds of an activation, from its signature to the response, in this process."""
        make_trials(self.number, POSTED)
        trials = list(Order.objects.filter(number__in=_numbers(self.number, POSTED)))
        self.number += POSTED
        return _milliseconds(lambda: post_activations(trials)) / POSTED

    def drain(self) -> float:
        """Carries out the steps and mails that intake has created. Returns the milliseconds of a step."""
        before = Attempt.objects.count()
        spent = _milliseconds(lambda: drain(seconds=None, linger=False))
        clear_queue()  # deletes the wake-ups, which no worker takes here
        if undone := Dispatch.objects.exclude(state__in=[Dispatch.State.DONE, Dispatch.State.FAILED]).count():
            raise RuntimeError(f"{undone} steps are left")
        return spent / (Attempt.objects.count() - before)

    def reconcile(self) -> float:
        """Compares orders given by their numbers. Returns the milliseconds of an order."""
        run = Comparison(Scope(numbers=self.compared), by="bench")
        with override_settings(BIGDATA_BASE_URL=f"{self.sandbox}/bigdata"):
            spent = _milliseconds(run.run)
        if run.row.error or run.row.differences or run.row.orders != COMPARED:
            raise RuntimeError(f"{run.row.orders} orders, {run.row.differences} differences {run.row.error}")
        return spent / COMPARED


WORK: dict[str, Callable[[Place], float]] = {
    f"intake, an activation of {POSTED}": Place.intake,
    CLAIM: lambda place: run_and_undo(PARTS[CLAIM])[1],
    CLAIMS_TOGETHER: lambda place: run_and_undo(PARTS[CLAIMS_TOGETHER])[1],
    SWEEP: lambda place: run_and_undo(PARTS[SWEEP])[1],
    "drain, a step of these activations": Place.drain,
    "order page": lambda place: ask(place.client, place.pages["order"]),
    "order list": lambda place: ask(place.client, place.pages["list"]),
    f"reconcile, an order of {COMPARED}": Place.reconcile,
}
ONCE = (Place.intake, Place.drain)  # each result is already a mean of many


def main() -> None:
    """Fills the databases, runs all parts alternately, and appends medians and ratios."""
    options = _options()
    with Desk() as desk, contextlib.ExitStack() as stack:
        ways = [stack.enter_context(copied_database(str(count))) for count in options.counts]
        desk.start_partner(MILLISECONDS)
        store = Store(str(desk.folder / "sandbox.sqlite3"))
        sandbox = desk.start_sandbox("--state", str(desk.folder / "sandbox.sqlite3"))
        places = [
            _make(way, count, number * APART, store, sandbox)
            for number, (way, count) in enumerate(zip(ways, options.counts, strict=True))
        ]
        times = _measure(places, options.rounds)
        append("growth", *_report(times, options.counts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="ORDERS")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 51), metavar="1-50")
    options = parser.parse_args()
    options.counts = sorted(set(options.counts))
    if options.counts[0] < COUNTS[0]:
        parser.error(f"--counts: at least {COUNTS[0]}, so that pages are full")
    return options


def _make(way: BaseDatabaseWrapper, count: int, first: int, store: Store, sandbox: str) -> Place:
    fill_one(count, way)
    client, pages = sign_in(way)
    make_trials(first, COMPARED)
    numbers = _numbers(first, COMPARED)
    put_there(store, BillingRecord.objects.filter(order__number__in=numbers).select_related("order__attribution"))
    return Place(way, count, first + COMPARED, client, pages, numbers, sandbox)


def _numbers(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"T{number}" for number in range(first, first + count))


def _measure(places: list[Place], rounds: int) -> dict[str, dict[int, list[float]]]:
    """Returns milliseconds by part and count. The first round is a warm-up and does not count."""
    times: dict[str, dict[int, list[float]]] = {name: {place.count: [] for place in places} for name in WORK}
    for turn in range(rounds + 1):
        for name, part in WORK.items():
            spent = defaultdict(list)
            for _ in range(1 if part in ONCE else TRIES):
                for place in places[:: -1 if turn % 2 else 1]:
                    switch(place.way)
                    spent[place.count].append(part(place))
            for count, values in spent.items() if turn else ():
                times[name][count].append(min(values))
    return times


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _report(times: dict[str, dict[int, list[float]]], counts: list[int]) -> tuple[list[str], dict[str, float]]:
    """Returns the lines of the report. Also returns each part's ratio for the history (higher is better)."""
    first, *others = counts
    rows, kept = [], {}
    for name, by_count in times.items():
        ratios = {count: median(by_count[count]) / median(by_count[first]) for count in others}
        kept |= {f"{name}, {first} / {count} orders": 1 / ratio for count, ratio in ratios.items()}
        cells = [spread(by_count[first], 1)]
        cells += [
            f"{spread(by_count[c], 1)}: {ratio:.2f}{' !' if ratio > LIMIT else ''}" for c, ratio in ratios.items()
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    flat = "reached" if all(ratio >= 1 / LIMIT for ratio in kept.values()) else "NOT reached"
    lines = [
        f"Milliseconds with Python, medians [all rounds]: ratio to {first} orders; all databases in turn. The quickest "
        f"of {TRIES} tries in a round, but for intake and drain.",
        "",
        f"| part | {' | '.join(f'{count} orders' for count in counts)} |",
        f"| --- |{' --- |' * len(counts)}",
        *rows,
        "",
        f"at most {LIMIT} times: {flat}",
    ]
    return lines, kept


if __name__ == "__main__":
    main()
