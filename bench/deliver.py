"""Partner calls per second, compared with a bare pool of threads.

Run `python -m bench.deliver [--calls 2000] [--rounds 3]`.
"""

import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import median
from threading import local
from urllib.parse import urlsplit

import requests
from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import clear_queue, make_due_trials, post_activations
from bench.results import append, ratios, spread
from integrations.delivery.channels import build_payloads
from integrations.delivery.loop import CALLS_AT_A_TIME, drain
from notifications.models import Mail
from orders.models import Attempt, Dispatch, Order, OrderEvent
from orders.outbox.record_selection import read_records

MILLISECONDS = 5
CEILING = CALLS_AT_A_TIME * 1000 / MILLISECONDS
WARM_UP = 100
ENDS_WITHIN = 180
CALLS = (100, 20_000)  # smallest and largest number in a round
NAMES = {
    "one_drain": "desk: one drain, 8 at a time",
    "whole_orders": "the same, whole activations: traffic, cancel, billing, BPM and mail, to the last step recorded",
    "bare_pool": "bare pool of 8 threads, http.client, one INSERT a call",
    "two_drains": "desk: two drains as in a worker, 4 at a time each",
}
DRAINS = ("one_drain", "whole_orders", "two_drains")
STEPS_EACH = 5  # of an activation


@dataclass
class Bench:
    """The desk and its partner. Each method carries out the given steps and returns the calls per second."""

    desk: Desk
    partner: str

    def one_drain(self, steps: list[int]) -> float:
        """Measures one drain with eight threads. The time starts before the first claim and ends when the last result
        is committed."""
        began = time.perf_counter()
        drain(seconds=None, linger=False)
        seconds = time.perf_counter() - began
        _check(_delivered(steps), steps)
        return len(steps) / seconds

    def whole_orders(self, steps: list[int]) -> float:
        """Measures one drain that carries out activations from their first step to their mail."""
        drain(seconds=None, linger=False)  # the trials' own steps
        post_activations(Order.objects.filter(dispatches__in=steps).order_by("pk")[: len(steps) // STEPS_EACH])
        calls = _calls()
        began = time.perf_counter()
        drain(seconds=None, linger=False)
        seconds = time.perf_counter() - began
        clear_queue()  # deletes the wake-ups, which no worker takes here
        if undone := Dispatch.objects.exclude(state=Dispatch.State.DONE).count() + Mail.objects.open().count():
            raise RuntimeError(f"{undone} steps are left")
        return (_calls() - calls) / seconds

    def bare_pool(self, steps: list[int]) -> float:
        """Measures a minimal program: eight threads call the partner, and one thread stores a row for each response."""
        own, place, made = local(), urlsplit(self.partner), bodies(steps)
        order = Order.objects.earliest("pk")

        def call(body: str) -> None:
            if not hasattr(own, "connection"):
                own.connection = HTTPConnection(place.hostname, place.port)
            head = {"Content-Type": "application/json"}
            own.connection.request("POST", "/bigdata/productInfos", body.encode(), head)
            own.connection.getresponse().read()

        began = time.perf_counter()
        with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
            for future in as_completed([pool.submit(call, body) for body in made.values()]):
                future.result()
                OrderEvent.objects.create(order=order, at=timezone.now(), kind="bench")
        seconds = time.perf_counter() - began
        drain(seconds=None, linger=False)  # so that no step is due for the next method
        return len(steps) / seconds

    def two_drains(self, steps: list[int]) -> float:
        """Measures two processes like the worker's, each with four threads, from the first call to the last
        response."""
        return self.processes(2, steps, "--workers", str(CALLS_AT_A_TIME // 2))

    def processes(self, count: int, steps: list[int], *words: str) -> float:
        """Measures `count` processes that deliver, from the first call to the last response."""
        self._seen()
        names = [f"drain{number}" for number in range(1, count + 1)]
        for name in names:
            self.desk.start(name, "manage.py", "deliver", "--until-idle", *words)
        self.desk.until(lambda: _delivered(steps) == len(steps), what="all calls", seconds=ENDS_WITHIN, every=0.1)
        for name in names:
            self.desk.stop(name)
        return self._rate(steps)

    def _rate(self, steps: list[int]) -> float:
        seen = self._seen()
        _check(seen["calls"], steps)
        return seen["calls"] / seen["seconds"]

    def _seen(self) -> dict:
        """Returns the number of the partner's calls since the last `GET /seen`, and the seconds that they took."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.partner}/seen", timeout=10).json()


def main() -> None:
    """Runs all methods alternately, and appends the medians."""
    options = read_options(__doc__, calls=(2000, *CALLS), rounds=(3, 1, 20))
    with Desk() as desk:
        bench = Bench(desk, desk.start_partner(MILLISECONDS))
        bench.whole_orders(make_due_trials(0, WARM_UP))  # gives each call its proof, as on a desk in operation
        ways = [bench.one_drain, bench.whole_orders, bench.bare_pool, bench.two_drains]
        rates: dict[str, list[float]] = {way.__name__: [] for way in ways}
        for number in range(options.rounds):
            for way in ways:
                rates[way.__name__].append(way(make_due_trials(Order.objects.count(), options.calls)))
                print(number + 1, way.__name__, f"{rates[way.__name__][-1]:.0f}", flush=True)
        kept = {f"{name} / bare pool": ratios(rates[name], rates["bare_pool"]) for name in DRAINS}
        append("deliver", _report(rates, options), {name: median(values) for name, values in kept.items()})


def bodies(steps: list[int]) -> dict[int, str]:
    """Returns the bodies of the dispatches, so that the bare pool need not build them."""
    rows = list(Dispatch.objects.filter(pk__in=steps).select_related("order"))
    for row in rows:
        row.frozen_at = timezone.now()
        row.order.billing_records.update(create_time=timezone.now(), cancel_time=timezone.now())
    return build_payloads(rows, timezone.now(), read_records(rows))


def _delivered(steps: list[int]) -> int:
    return Attempt.objects.filter(dispatch__in=steps, outcome=Attempt.Outcome.OK).count()


def _calls() -> int:
    return Attempt.objects.count() + Mail.objects.filter(state=Mail.State.DONE).count()


def _check(count: int, steps: list[int]) -> None:
    if count != len(steps):
        raise RuntimeError(f"{count} of {len(steps)} calls were made")


def _report(rates: dict[str, list[float]], options: Namespace) -> list[str]:
    share = [rate / CEILING for rate in rates["two_drains"]]
    rows = [
        f"| {NAMES[name]} | {spread(values)} | {spread(ratios(values, rates['bare_pool']), 2)} |"
        for name, values in rates.items()
    ]
    return [
        f"{options.calls} due dispatches of as many orders, a partner that answers in {MILLISECONDS} ms.",
        "",
        "| way | calls/s | of the bare pool |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"desk (two drains) / ceiling of {CEILING:.0f}: {spread(share, 2)} (at least 0.5): "
        f"{'reached' if median(share) >= 0.5 else 'not reached'}",
    ]


if __name__ == "__main__":
    main()
