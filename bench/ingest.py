"""Orders accepted per second, compared with a bare DRF view: `python -m bench.ingest [--seconds 2] [--rounds 9]`."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.cpu import CpuTimes
from bench.desk import Desk
from bench.orders import make_due_trials, make_trials, write_bodies
from bench.results import append, spread
from tests.harness.children import ROOT, WORKERS

CLIENTS = [8]
MOST_PER_SECOND = 1500  # so many messages are prepared
WARM_UP = 400  # requests before anything is measured
BARE = {"DJANGO_SETTINGS_MODULE": "bench.bare.settings"}
RATE = {"BBOSS_RATE": "1000000/min"}
SYNC = "-w 4 --worker-class sync --threads 1"
CASES = {  # the server, and whether the trials' own steps are still open
    "desk": ("desk", False),
    "desk, trials' steps open": ("desk", True),
    "desk, 4 sync workers": ("sync", False),
    "bare": ("bare", False),
}


def main() -> None:
    """Runs all cases in turn, and appends the medians."""
    options = read_options()
    with Desk() as desk:
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "-v0"],
            cwd=ROOT,
            env=os.environ | BARE,
            check=True,
        )
        addresses = {
            "desk": desk.start_web("desk", "project.wsgi", **RATE),
            "sync": desk.start_web("sync", "project.wsgi", workers=SYNC, **RATE),
            "bare": desk.start_web("bare", "bench.bare.wsgi", workers=f"{WORKERS} --config /dev/null", **BARE),
        }
        append("ingest", _report(take_rounds(desk.folder / "bodies", addresses, options), options))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2, choices=range(1, 121), metavar="1-120")
    parser.add_argument("--rounds", type=int, default=9, choices=range(1, 21), metavar="1-20")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    return parser.parse_args()


def take_rounds(file: pathlib.Path, addresses: dict[str, str], options: argparse.Namespace) -> dict[tuple, list[dict]]:
    """{(case, clients): its rounds}. The sequence of the cases changes from round to round."""
    kinds = {(case, clients): [] for clients in options.clients for case in CASES}
    bodies = _bodies(file)
    cpu = CpuTimes()
    for server in addresses.values():
        next(bodies)
        bodies.send((WARM_UP, False))
        post_all(file, server, seconds=30)
    for number in range(options.rounds):
        for case, clients in sorted(kinds, reverse=number % 2 == 0):
            server, still_open = CASES[case]
            next(bodies)
            bodies.send((options.seconds * MOST_PER_SECOND, still_open))
            before = cpu.read(addresses[server])
            result = post_all(file, addresses[server], seconds=options.seconds, clients=clients)
            result |= cpu.since(before, addresses[server], result["accepted"])
            print(number + 1, case, clients, result, flush=True)
            kinds[case, clients].append(result)
    return kinds


def _bodies(file: pathlib.Path) -> Iterator[None]:
    """Each `send((count, still_open))` makes so many new trials and writes the messages that activate them."""
    first = 0
    while True:
        count, still_open = yield
        (make_due_trials if still_open else make_trials)(first, count)
        write_bodies(file, first, count)
        first += count
        yield


def prepare(file: pathlib.Path, first: int, count: int) -> None:
    """Trials, and the file with the messages that activate them."""
    make_trials(first, count)
    write_bodies(file, first, count)


def post_all(file: pathlib.Path, url: str, *, seconds: int, clients: int = 8) -> dict:
    """Posts the messages, `clients` at a time, until the time is up or all are sent. Raises if one is refused."""
    script = str(pathlib.Path(__file__).with_name("post.lua"))
    words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", script, f"{url}/api/bboss/orders"]
    ran = subprocess.run(
        words, env=os.environ | {"BENCH_BODIES": str(file)}, capture_output=True, text=True, check=True, timeout=200
    )
    result = json.loads(ran.stdout.splitlines()[-1])
    if result["other"] or result["errors"] or not result["accepted"]:
        raise RuntimeError(f"not all were accepted: {result}")
    return result


def _report(rounds: dict[tuple, list[dict]], options: argparse.Namespace) -> list[str]:
    lines = [
        f"PostgreSQL, gunicorn 2 x 4 threads if nothing else is said, first activations, BBOSS_RATE on, {options.seconds} s a round.",
        "",
        "| case | clients | orders/s | / bare | p99 ms | / bare | CPU ms an order, web + PostgreSQL |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (case, clients), runs in rounds.items():
        bare = rounds["bare", clients]
        speed = [one["accepted"] / one["seconds"] for one in runs]
        ratio = [ours / (theirs["accepted"] / theirs["seconds"]) for ours, theirs in zip(speed, bare, strict=True)]
        tails = [ours["p99"] / theirs["p99"] for ours, theirs in zip(runs, bare, strict=True)]
        cpu = " + ".join(f"{median(one[part] for one in runs):.1f}" for part in ("web", "postgres"))
        p99 = spread([one["p99"] for one in runs])
        lines.append(f"| {case} | {clients} | {spread(speed)} | {spread(ratio, 2)} | {p99} | {spread(tails, 2)} | {cpu} |")
    return lines


if __name__ == "__main__":
    main()
