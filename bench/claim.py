"""The cost of a claim and a sweep over 1,000,000 finished dispatches: `python -m bench.claim [--rows 1000000]`."""

import datetime
import time
from collections.abc import Callable
from statistics import median

from django.db import connection, transaction
from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import make_due_trials, make_trials
from bench.results import append
from integrations.delivery.channels import build_payloads
from orders.intake.replan_held_orders import settle_arrived
from orders.models import Dispatch, Order, OrderDomain
from orders.outbox.release_steps import release
from orders.sending.claim import claim, next_due
from orders.start_day.start_day import activate
from orders.trials.expired_trials import end_trials

STEPS = 5  # dispatches of an order
DUE = 300
TIMES = 30
MOST_MS = 10
CLAIM = "claim of 1, with its payload and attempt"
SWEEP = "sweep: held, start days, ends of trials, waiting steps"
CLAIMS_TOGETHER = "32 claims at once, with their payloads and attempts"
LEASE = datetime.timedelta(seconds=60)


def main() -> None:
    """Fills the tables by generate_series, measures each part, and appends the medians."""
    rows = read_options(__doc__, rows=(1_000_000, 1000, 5_000_000)).rows
    with Desk():
        make_trials(0, 1)
        _multiply(rows)
        make_due_trials(1, DUE)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        timed = {name: _milliseconds(part) for name, part in PARTS.items()}
        append("claim", _report(timed, rows))


def _multiply(rows: int) -> None:
    """Copies the finished trial. Creates orders, then STEPS dispatches for each order."""
    _copy(Order, f"generate_series(1, {rows // STEPS}) n", number="'F' || n", trans_idh="n::text")
    names = {"order_id": "o.id", "key": "gen_random_uuid()", "lane": "o.id"}
    _copy(Dispatch, f"orders_order o, generate_series(1, {STEPS}) n WHERE o.number LIKE 'F%'", **names)
    _copy(OrderDomain, "orders_order o WHERE o.number LIKE 'F%'", order_id="o.id")


def _copy(model, source: str, **changed: str) -> None:
    """Inserts copies of the model's first row, joined with `source`. `changed` maps columns to SQL expressions."""
    columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    values = ", ".join(changed.get(column, f'r."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    first = f"(SELECT * FROM {model._meta.db_table} ORDER BY id LIMIT 1) r"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} FROM {first}, {source}")


def _milliseconds(part: Callable[[], object]) -> tuple[float, float]:
    """Returns the medians of TIMES runs: milliseconds in the database, and in total. Each run is rolled back."""
    runs = [run_and_undo(part) for _ in range(TIMES)]
    return median(asked for asked, _ in runs), median(whole for _, whole in runs)


def run_and_undo(part: Callable[[], object]) -> tuple[float, float]:
    """Runs a part and rolls it back. Returns the milliseconds in the database, and in total."""
    asked = 0.0

    def watch(execute, *given):
        nonlocal asked
        began = time.perf_counter()
        try:
            return execute(*given)
        finally:
            asked += (time.perf_counter() - began) * 1000

    with transaction.atomic(), connection.execute_wrapper(watch):
        began = time.perf_counter()
        part()
        whole = (time.perf_counter() - began) * 1000
        transaction.set_rollback(True)
    return asked, whole


def _claim(room: int) -> object:
    rooms = {"bigdata": room, "bpm": room, "mail": room, "files": room}
    return claim(build=build_payloads, rooms=rooms, now=timezone.now(), lease=LEASE, worker="bench")


def _claim_nothing() -> object:
    return claim(build=build_payloads, rooms={"bpm": 32}, now=timezone.now(), lease=LEASE, worker="bench")


def _sweep() -> None:
    now = timezone.now()
    settle_arrived(now=now)
    activate(numbers=None, by="sweep", now=now)
    end_trials(now=now)
    release(now=now)


def _next() -> object:
    now = timezone.now()
    return next_due(after=now, until=now + LEASE)


PARTS: dict[str, Callable[[], object]] = {
    "claim, nothing due for that partner": _claim_nothing,
    CLAIM: lambda: _claim(1),
    CLAIMS_TOGETHER: lambda: _claim(32),
    SWEEP: _sweep,
    "when is the next one due": _next,
}


def _report(timed: dict[str, tuple[float, float]], rows: int) -> list[str]:
    reached = "reached" if max(timed[name][0] for name in timed.keys() - {CLAIMS_TOGETHER}) < MOST_MS else "not reached"
    return [
        f"{rows} finished dispatches of {rows // STEPS} orders, {DUE} due; medians of {TIMES}.",
        "",
        "| part | ms in the database | ms with Python |",
        "| --- | --- | --- |",
        *(f"| {name} | {asked:.1f} | {whole:.1f} |" for name, (asked, whole) in timed.items()),
        "",
        f"the database's part of each under {MOST_MS} ms, but for the 32 at once: {reached}",
    ]


if __name__ == "__main__":
    main()
