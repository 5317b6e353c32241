"""The time from the POST to all steps done, on an idle desk: `python -m bench.idle [--orders 20] [--rounds 3]`."""

import time
from argparse import Namespace
from statistics import median

from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import activation, make_trials, post
from bench.results import append, spread
from integrations.bboss.sample_envelope import signed_envelope
from integrations.models import Heartbeat
from notifications.models import Mail
from orders.models import Dispatch, Order

MILLISECONDS = 5
LOOK_EVERY = 0.005
PAUSE = 0.3
WARM_UP = 3


def main() -> None:
    """Posts one order at a time and appends the medians."""
    options = read_options(__doc__, orders=(20, 1, 200), rounds=(3, 1, 20))
    with Desk() as desk:
        desk.start_partner(MILLISECONDS)
        web = desk.start_web("web", "project.wsgi")
        desk.start("worker", "manage.py", "worker")
        desk.until(Heartbeat.objects.exists, what="a sign of life from the worker")
        make_trials(0, WARM_UP + options.rounds * options.orders)
        for number in range(WARM_UP):
            _time(desk, web, number)
        rounds = [
            [_time(desk, web, WARM_UP + number * options.orders + one) for one in range(options.orders)]
            for number in range(options.rounds)
        ]
        append("idle", _report(rounds, options))


def _time(desk: Desk, web: str, number: int) -> float:
    """Returns the seconds from the POST until every step of the order is committed as done. Includes the mail."""
    time.sleep(PAUSE)
    envelope = signed_envelope(activation(number), now=timezone.now())
    began = time.perf_counter()
    post(web, envelope)
    desk.until(lambda: _all_done(f"A{number}"), what=f"all steps of A{number}", every=LOOK_EVERY)
    return time.perf_counter() - began


def _all_done(number: str) -> bool:
    steps = Dispatch.objects.filter(order__number=number).exclude(state=Dispatch.State.DONE)
    return Mail.objects.filter(order__number=number, state=Mail.State.DONE).exists() and not steps.exists()


def _report(rounds: list[list[float]], options: Namespace) -> list[str]:
    medians = [median(one) * 1000 for one in rounds]
    slowest = [max(one) * 1000 for one in rounds]
    active = Order.objects.filter(state=Order.State.ACTIVE).count()
    reached = "reached" if median(medians) < 500 else "not reached"
    return [
        f"First activations one at a time, {options.orders} a round, partners answer in {MILLISECONDS} ms; "
        f"traffic, trial cancel, billing, BPM and mail of each done ({active} orders active).",
        "",
        f"median {spread(medians)} ms (under 500): {reached}; slowest {spread(slowest)} ms",
    ]


if __name__ == "__main__":
    main()
