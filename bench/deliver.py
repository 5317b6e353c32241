"""Partner calls per second, beside one queue task a call: `python -m bench.deliver [--calls 2000] [--rounds 3]`."""

import argparse
import time
from statistics import median

import requests
from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.calls import enqueue, left
from bench.desk import Desk
from bench.orders import make_due_trials
from bench.results import append, spread
from integrations.building import build_payloads
from integrations.delivery import CALLS_AT_A_TIME, drain
from orders.models import Attempt, Dispatch

MILLISECONDS = 5
CEILING = CALLS_AT_A_TIME * 1000 / MILLISECONDS
WARM_UP = 100


def main() -> None:
    """Runs ours and the queue in turn, and appends the medians."""
    options = _options()
    with Desk() as desk:
        partner = desk.start_partner(MILLISECONDS)
        _deliver(make_due_trials(0, WARM_UP))
        ours, queue = [], []
        for number in range(options.rounds):
            steps = make_due_trials(WARM_UP + number * options.calls, options.calls)
            for one, rounds in ((_as_tasks, queue), (_deliver, ours)):
                rounds.append(one(steps) if one is _deliver else one(steps, desk, partner))
                print(number + 1, one.__name__, f"{rounds[-1]:.0f}", flush=True)
        append("deliver", _report(ours, queue, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, choices=range(100, 20001), metavar="100-20000")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 21), metavar="1-20")
    return parser.parse_args()


def _deliver(steps: list[int]) -> float:
    """Calls per second of one drain, from before its first claim until its last result is committed."""
    began = time.perf_counter()
    report = drain(seconds=None, linger=False)
    seconds = time.perf_counter() - began
    kept = Attempt.objects.filter(dispatch__in=steps, outcome=Attempt.Outcome.OK).count()
    if report.done != len(steps) or kept != len(steps):
        raise RuntimeError(f"not all were delivered: {report}, {kept} attempts")
    return len(steps) / seconds


def _as_tasks(steps: list[int], desk: Desk, partner: str) -> float:
    """Calls per second of as many queue tasks, put in beforehand: from the first call to the last answer."""
    bodies = _bodies(steps)
    for pk in steps:
        enqueue(pk, bodies[pk])
    _seen(partner)
    desk.start("queue", "manage.py", "qcluster", DJANGO_SETTINGS_MODULE="bench.queue_settings")
    desk.until(lambda: not left(), what="an empty queue", seconds=120)
    desk.until(lambda: _written(steps) == len(steps), what="the last results", seconds=30)
    desk.stop("queue")
    seen = _seen(partner)
    if seen["calls"] != len(steps):
        raise RuntimeError(f"not all were called: {seen}")
    return seen["calls"] / seen["seconds"]


def _bodies(steps: list[int]) -> dict[int, str]:
    """What the dispatches would send, so that the tasks need not build it."""
    rows = list(Dispatch.objects.filter(pk__in=steps).select_related("order"))
    for row in rows:
        row.order.billing_records.update(create_time=timezone.now(), cancel_time=timezone.now())
    return build_payloads(rows, timezone.now())


def _written(steps: list[int]) -> int:
    return Dispatch.objects.filter(pk__in=steps, error_code="sent").count()


def _seen(partner: str) -> dict:
    """What came to the partner since the last look."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{partner}/seen", timeout=10).json()


def _report(ours: list[float], queue: list[float], options: argparse.Namespace) -> list[str]:
    ratio = [mine / theirs for mine, theirs in zip(ours, queue, strict=True)]
    share = [mine / CEILING for mine in ours]
    reached = "reached" if median(ratio) >= 2.5 and median(share) >= 0.5 else "not reached"
    return [
        f"{options.calls} due dispatches of as many orders, a partner that answers in {MILLISECONDS} ms.",
        "",
        "| way | calls/s |",
        "| --- | --- |",
        f"| desk: one drain, {CALLS_AT_A_TIME} at a time | {spread(ours)} |",
        f"| django-q2 (ORM), one task a call, 8 workers, tuned | {spread(queue)} |",
        "",
        f"desk / queue: {spread(ratio, 2)} (at least 2.5), desk / ceiling of {CEILING:.0f}: {spread(share, 2)} "
        f"(at least 0.5): {reached}",
    ]


if __name__ == "__main__":
    main()
