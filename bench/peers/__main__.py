"""`python -m bench.peers [--calls 1000] [--rounds 3]`, in the environment that `make bench-peers` makes."""

from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.deliver import CALLS, MILLISECONDS, WARM_UP, Bench, all_done, bodies
from bench.desk import Desk
from bench.options import read_options
from bench.orders import make_due_trials
from bench.peers import celery_peer, procrastinate_peer
from bench.results import append, ratios, spread
from integrations.delivery.loop import drain
from orders.models import Order

NAMES = {
    "two_drains": "desk: two drains as in a worker, 4 at a time each; all its records kept",
    "bare_tasks": "django-q2 (ORM), 8 workers, tuned",
    "procrastinate": "procrastinate, concurrency 8",
    "celery": "Celery on Redis, prefork 8, tuned",
}


class Peers(Bench):
    """The desk, its partner and the other queues."""

    def procrastinate(self, steps: list[int]) -> float:
        """A task for each call, as `bare_tasks`: first call to last answer."""
        return self._by(procrastinate_peer, steps)

    def celery(self, steps: list[int]) -> float:
        """The same."""
        return self._by(celery_peer, steps)

    def _by(self, peer, steps: list[int]) -> float:
        peer.enqueue(bodies(steps))
        self._work(lambda: all_done(steps), *peer.WORDS)
        return self._rate(steps)


def main() -> None:
    """Runs all in turn, each round in the other direction, and appends the medians."""
    options = read_options(__doc__, calls=(1000, *CALLS), rounds=(3, 1, 20))
    with Desk() as desk, celery_peer.redis_server(desk) as missing:
        peers = Peers(desk, desk.start_partner(MILLISECONDS))
        procrastinate_peer.prepare()
        make_due_trials(0, WARM_UP)
        drain(seconds=None, linger=False)
        names = [name for name in NAMES if name != "celery" or not missing]
        rates: dict[str, list[float]] = {name: [] for name in names}
        for number in range(options.rounds):
            for name in names[:: -1 if number % 2 else 1]:
                rates[name].append(getattr(peers, name)(make_due_trials(Order.objects.count(), options.calls)))
                print(number + 1, name, f"{rates[name][-1]:.0f}", flush=True)
        kept = {f"desk / {name}": median(ratios(rates["two_drains"], rates[name])) for name in names[1:]}
        about = f"Celery is left out: {missing}." if missing else f"Redis {celery_peer.redis_version()}."
        packages = [*procrastinate_peer.PACKAGES, *(() if missing else celery_peer.PACKAGES)]
        append("peers", [*_report(rates, options.calls), "", about], kept, more=packages)


def _report(rates: dict[str, list[float]], calls: int) -> list[str]:
    rows = [
        f"| {NAMES[name]} | {spread(values)} | {spread(ratios(rates['two_drains'], values), 2)} |"
        for name, values in rates.items()
    ]
    return [
        f"{calls} calls that were enqueued before, a partner that answers in {MILLISECONDS} ms, from the first call to "
        "the last answer. A task of a queue makes the call with a ready body and notes it by one UPDATE.",
        "",
        "| way | calls/s | desk / this |",
        "| --- | --- | --- |",
        *rows,
    ]


if __name__ == "__main__":
    main()
