"""Two worker processes beside one, with a slow partner: `python -m bench.two_workers [--calls 1000] [--rounds 3]`."""

from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.deliver import WARM_UP, Bench, all_done, ratios, read_options
from bench.desk import Desk
from bench.orders import make_due_trials
from bench.results import append, spread
from integrations.delivery.loop import drain
from orders.models import Order

MILLISECONDS = 50
LEAST = 1.9


class Workers(Bench):
    """Processes that deliver eight calls at a time each."""

    def run(self, processes: int, steps: list[int]) -> float:
        """Calls a second, from the first call to the last answer."""
        self._seen()
        names = [f"worker{number}" for number in range(processes)]
        for name in names:
            self.desk.start(name, "manage.py", "deliver", "--until-idle")
        self._until(lambda: all_done(steps))
        for name in names:
            self.desk.stop(name)
        return self._rate(steps)


def main() -> None:
    """Runs one process and two in turn, and appends the medians."""
    options = read_options(calls=1000)
    with Desk() as desk:
        workers = Workers(desk, desk.start_partner(MILLISECONDS))
        make_due_trials(0, WARM_UP)
        drain(seconds=None, linger=False)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(options.rounds):
            for processes in (1, 2)[:: -1 if number % 2 else 1]:
                rates[processes].append(workers.run(processes, make_due_trials(Order.objects.count(), options.calls)))
                print(number + 1, processes, f"{rates[processes][-1]:.0f}", flush=True)
        gain = ratios(rates[2], rates[1])
        lines = [
            f"{options.calls} due dispatches, a partner that answers in {MILLISECONDS} ms, calls/s of one process: "
            f"{spread(rates[1])}, of two: {spread(rates[2])}.",
            "",
            f"two / one: {spread(gain, 2)} (at least {LEAST}): {'reached' if median(gain) >= LEAST else 'not reached'}",
        ]
        append("two workers", lines, {"two workers / one": median(gain)})


if __name__ == "__main__":
    main()
