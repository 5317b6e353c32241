"""Two worker processes compared with one worker process, with a slow partner.

Run `python -m bench.two_workers [--calls 1000] [--rounds 3]`.
"""

from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.deliver import CALLS, WARM_UP, Bench
from bench.desk import Desk
from bench.options import read_options
from bench.orders import make_due_trials
from bench.results import append, ratios, spread
from integrations.delivery.loop import drain
from orders.models import Order

MILLISECONDS = 50
LEAST = 1.9


def main() -> None:
    """Runs one process and two processes alternately, and appends the medians."""
    options = read_options(__doc__, calls=(1000, *CALLS), rounds=(3, 1, 20))
    with Desk() as desk:
        bench = Bench(desk, desk.start_partner(MILLISECONDS))
        make_due_trials(0, WARM_UP)
        drain(seconds=None, linger=False)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(options.rounds):
            for processes in (1, 2)[:: -1 if number % 2 else 1]:
                steps = make_due_trials(Order.objects.count(), options.calls)
                rates[processes].append(bench.processes(processes, steps))
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
