"""Orders accepted per second, compared with a bare DRF view: `python -m bench.ingest [--seconds 10] [--rounds 3]`."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from statistics import median

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.orders import make_trials, write_bodies
from bench.results import append, spread
from tests.harness.children import ROOT, WORKERS

CLIENTS = 8
MOST_PER_SECOND = 1500  # so many messages are prepared
WARM_UP = 400  # requests before anything is measured
BARE = {"DJANGO_SETTINGS_MODULE": "bench.bare.settings"}


def main() -> None:
    """Runs ours and the reference in turn, and appends the medians."""
    options = read_options()
    with Desk() as desk:
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "-v0"],
            cwd=ROOT,
            env=os.environ | BARE,
            check=True,
        )
        addresses = {
            "desk": desk.start_web("desk", "project.wsgi"),
            "bare": desk.start_web("bare", "bench.bare.wsgi", workers=f"{WORKERS} --config /dev/null", **BARE),
        }
        rounds = take_rounds(desk.folder / "bodies", addresses, options)
        append("ingest", _report(rounds, options))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10, choices=range(1, 121), metavar="1-120")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 21), metavar="1-20")
    return parser.parse_args()


def take_rounds(file: pathlib.Path, addresses: dict[str, str], options: argparse.Namespace) -> dict[str, list[dict]]:
    """{case: its rounds}. The first case changes from round to round."""
    found: dict[str, list[dict]] = {name: [] for name in addresses}
    prepare(file, 0, WARM_UP)
    for url in addresses.values():
        post_all(file, url, seconds=30)
    count = options.seconds * MOST_PER_SECOND
    for number in range(options.rounds):
        prepare(file, WARM_UP + number * count, count)
        for name in sorted(addresses, reverse=number % 2 == 0):
            result = post_all(file, addresses[name], seconds=options.seconds)
            print(number + 1, name, result, flush=True)
            found[name].append(result)
    return found


def prepare(file: pathlib.Path, first: int, count: int) -> None:
    """Trials, and the file with the messages that activate them."""
    make_trials(first, count)
    write_bodies(file, first, count)


def post_all(file: pathlib.Path, url: str, *, seconds: int, clients: int = CLIENTS) -> dict:
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


def _report(rounds: dict[str, list[dict]], options: argparse.Namespace) -> list[str]:
    lines = [
        f"gunicorn 2 x 4 threads, PostgreSQL, {CLIENTS} clients, first activations, {options.seconds} s a round.",
        "",
        "| case | orders/s | p50 ms | p99 ms |",
        "| --- | --- | --- | --- |",
    ]
    speed = {name: [one["accepted"] / one["seconds"] for one in runs] for name, runs in rounds.items()}
    for name, runs in rounds.items():
        p50, p99 = ([one[key] for one in runs] for key in ("p50", "p99"))
        lines.append(f"| {name} | {spread(speed[name])} | {spread(p50, 1)} | {spread(p99, 1)} |")
    ratio = [ours / theirs for ours, theirs in zip(speed["desk"], speed["bare"], strict=True)]
    tails = [ours["p99"] / theirs["p99"] for ours, theirs in zip(rounds["desk"], rounds["bare"], strict=True)]
    reached = "reached" if median(ratio) >= 0.8 and median(tails) <= 1.5 else "not reached"
    verdict = f"desk / bare: {spread(ratio, 2)} (at least 0.8), p99 {spread(tails, 2)} (at most 1.5): {reached}"
    return [*lines, "", verdict]


if __name__ == "__main__":
    main()
