"""Orders accepted per second, compared with a bare view: `python -m bench.ingest [--seconds 2] [--rounds 9]`."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.cpu import cpu_of_group, cpu_of_postgres
from bench.desk import Desk
from bench.orders import make_due_trials, make_trials, write_bodies
from bench.results import append, ratios, spread
from tests.harness.children import ROOT, WORKERS

MOST_PER_SECOND = 1500  # messages that are prepared
WARM_UP = 400  # requests before anything is measured
BARE = {"DJANGO_SETTINGS_MODULE": "bench.bare.settings"}
RATE = {"BBOSS_RATE": "1000000/min"}
SYNC = "-w 4 --worker-class sync --threads 1"


@dataclass(frozen=True)
class Case:
    """A measurement of the web server with this name. `burst` is True if the trials' own steps are still open."""

    server: str
    burst: bool = False


CASES = {
    "desk": Case("desk"),
    "desk, in a burst": Case("desk", burst=True),
    "desk, 4 sync workers": Case("sync"),
    "bare view": Case("bare"),
}


def main() -> None:
    """Runs all cases alternately, and appends the medians."""
    options = read_options()
    with Desk() as desk:
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "-v0"],
            cwd=ROOT,
            env=os.environ | BARE,
            check=True,
        )
        desk.start_web("desk", "project.wsgi", **RATE)
        desk.start_web("sync", "project.wsgi", workers=SYNC, **RATE)
        desk.start_web("bare", "bench.bare.wsgi", workers=f"{WORKERS} --config /dev/null", **BARE)
        rounds = take_rounds(desk, CASES, options)
        append("ingest", _report(rounds, options.seconds), _ratios(rounds))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2, choices=range(1, 121), metavar="1-120")
    parser.add_argument("--rounds", type=int, default=9, choices=range(1, 21), metavar="1-20")
    parser.add_argument("--clients", type=int, nargs="+", default=[8], metavar="N")
    return parser.parse_args()


def take_rounds(desk: Desk, cases: dict[str, Case], options: argparse.Namespace) -> dict[tuple[str, int], list[dict]]:
    """Returns the rounds by (case, clients). The order of the cases alternates from round to round."""
    found: dict[tuple[str, int], list[dict]] = {(name, n): [] for n in options.clients for name in cases}
    file, begin = desk.folder / "bodies", 0
    for case in cases.values():
        prepare(file, begin, WARM_UP)
        begin += WARM_UP
        post_all(file, desk.addresses[case.server], seconds=30)
    count = options.seconds * MOST_PER_SECOND
    for number in range(options.rounds):
        for name, clients in sorted(found, reverse=number % 2 == 0):
            case = cases[name]
            prepare(file, begin, count, burst=case.burst)
            begin += count
            group = desk.processes[case.server].pid
            web, postgres = cpu_of_group(group), cpu_of_postgres()
            result = post_all(file, desk.addresses[case.server], seconds=options.seconds, clients=clients)
            result["web"] = (cpu_of_group(group) - web) * 1000 / result["accepted"]
            result["postgres"] = (cpu_of_postgres() - postgres) * 1000 / result["accepted"]
            print(number + 1, name, clients, result, flush=True)
            found[name, clients].append(result)
    return found


def prepare(file: pathlib.Path, first: int, count: int, *, burst: bool = False) -> None:
    """Creates trials, and writes the file with the messages that activate them."""
    (make_due_trials if burst else make_trials)(first, count)
    write_bodies(file, first, count)


def post_all(file: pathlib.Path, url: str, *, seconds: int, clients: int = 8) -> dict:
    """Posts the messages, `clients` at a time, until the time is up or all messages are sent. Returns the figures of
    wrk. If a message is refused, raises RuntimeError."""
    script = str(pathlib.Path(__file__).with_name("post.lua"))
    words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", script, f"{url}/api/bboss/orders"]
    ran = subprocess.run(
        words, env=os.environ | {"BENCH_BODIES": str(file)}, capture_output=True, text=True, check=True, timeout=200
    )
    result = json.loads(ran.stdout.splitlines()[-1])
    if result["other"] or result["errors"] or not result["accepted"]:
        raise RuntimeError(f"not all were accepted: {result}")
    return result


def _report(rounds: dict[tuple[str, int], list[dict]], seconds: int) -> list[str]:
    lines = [
        f"First activations, PostgreSQL, BBOSS_RATE on, gunicorn 2 x 4 threads unless named, {seconds} s a round.",
        "",
        "| case | clients | orders/s | / bare | p99 ms | / bare | CPU ms an order: web + PostgreSQL |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (name, clients), runs in rounds.items():
        tails = ratios(p99(runs), p99(rounds["bare view", clients]))
        cpu = " + ".join(f"{median(one[part] for one in runs):.1f}" for part in ("web", "postgres"))
        ratio = spread(_to_bare(rounds, name, clients), 2)
        cells = [name, clients, spread(speed(runs)), ratio, spread(p99(runs)), spread(tails, 2), cpu]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _ratios(rounds: dict[tuple[str, int], list[dict]]) -> dict[str, float]:
    """Returns the speed of each case relative to the bare view, for the history."""
    return {
        f"{name}, {clients} clients / bare view": median(_to_bare(rounds, name, clients))
        for name, clients in rounds
        if name != "bare view"
    }


def _to_bare(rounds: dict[tuple[str, int], list[dict]], name: str, clients: int) -> list[float]:
    """Returns a case's speed divided by the speed of the bare view, for each round."""
    return ratios(speed(rounds[name, clients]), speed(rounds["bare view", clients]))


def speed(runs: list[dict]) -> list[float]:
    """Returns the orders accepted per second, for each round."""
    return [one["accepted"] / one["seconds"] for one in runs]


def p99(runs: list[dict]) -> list[float]:
    return [one["p99"] for one in runs]


if __name__ == "__main__":
    main()
