"""`python -m tests.tools.fuzz --count N --seed S [--database URL]`: sends much hostile input, without pytest.

Uses a new SQLite database, or a new database on the server of the URL. Writes each input that breaks a promise
(tests/hostile/promises.py) to a file, as a line of JSON. `--only NUMBER` repeats a single input of a seed.
"""

import argparse
import base64
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.hostile.memory import held

WARM, GROWTH = 2000, 64 * 1024 * 1024  # from this number of inputs on, memory may grow by this number of bytes
EVERY = 200
FAILURES = pathlib.Path(tempfile.gettempdir(), "ibs-fuzz-failures.jsonl")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description="Hostile input in bulk.")
    parser.add_argument("--count", type=int, default=100_000, help="how many inputs, half of them for each address")
    parser.add_argument("--seed", type=int, help="a run's number; a random one unless given")
    parser.add_argument("--database", default="", help="a PostgreSQL URL; a fresh SQLite unless given")
    parser.add_argument("--only", type=int, help="plays the input of this number alone")
    parser.add_argument("--failures", type=pathlib.Path, default=FAILURES, help="where failing inputs go")
    options = parser.parse_args()
    if options.only is not None and options.seed is None:
        parser.error("--only needs the --seed of its run")
    return options


@contextmanager
def fresh_database(url: str) -> Iterator[None]:
    """Sets up Django with the tests' settings on an empty database, which is removed afterwards."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "DESK_TEST_DATABASE_URL": url}
    import django

    django.setup()
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def run(options: argparse.Namespace) -> int:
    """Sends the inputs. Returns the number of inputs that broke a promise."""
    from tests.hostile import valid
    from tests.hostile.desk import Desk, connection_stays_open

    valid.make_orders()
    numbers = range(options.count) if options.only is None else [options.only]
    desk, progress = Desk(), Progress(len(numbers))
    with mock.patch("django.utils.timezone.now", new=valid.now), connection_stays_open():
        for number in numbers:
            progress.step(failed=play(desk, number, options))
    return progress.end()


def play(desk, number: int, options: argparse.Namespace) -> bool:
    """Sends the input with this number. If it breaks a promise, writes it to the file. Returns True in that case."""
    from tests.hostile.mutations import BBOSS, BPM, hostile_request

    request = hostile_request((BBOSS, BPM)[number % 2], options.seed, number)
    faults = desk.faults(request)
    if faults:
        write(options, number, request, faults, desk.log)
    return bool(faults)


def write(options: argparse.Namespace, number: int, request, faults: list[str], log: str) -> None:
    """Writes a line with the options that repeat the input, its construction, and the input itself."""
    row = vars(request) | {
        "again": f"--seed {options.seed} --only {number}",
        "faults": faults,
        "body": base64.b64encode(request.body).decode(),
        "log": log[-4000:],
    }
    row["meta"] = {name: value for name, value in request.meta.items() if isinstance(value, str)}
    with options.failures.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(f"\n{row['again']}: {'; '.join(faults)[:300]} (made by: {', '.join(request.made)[:200]})", flush=True)


class Progress:
    """Prints the progress. Measures memory after the first WARM inputs."""

    def __init__(self, count: int):
        self.count, self.done, self.failed, self.warm = count, 0, 0, 0
        self.began = time.monotonic()

    def step(self, *, failed: bool) -> None:
        self.done, self.failed = self.done + 1, self.failed + failed
        if self.done == WARM:
            self.warm = held()
        if self.done % EVERY == 0 or self.done == self.count:
            self.show()

    def show(self) -> None:
        rate = self.done / (time.monotonic() - self.began)
        left = (self.count - self.done) / rate
        line = f"{self.done}/{self.count}  {self.failed} failed  {rate:.0f}/s  {left:.0f} s left  {held() >> 20} MiB"
        print(f"\r{line}    ", end="", flush=True)

    def end(self) -> int:
        """Returns the number of failures. Too much memory growth counts as one failure."""
        print()
        grown = held() - self.warm if self.warm else 0
        if grown > GROWTH:
            print(f"memory grew by {grown >> 20} MiB since input {WARM}")
        return self.failed + (grown > GROWTH)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # sys.exit lets `finally` remove the database
    options = arguments()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**9)
    where = "PostgreSQL" if options.database else "SQLite"  # the URL is not printed, because it may contain a password
    print(f"seed {options.seed}, {options.count} inputs, on {where}", flush=True)
    with fresh_database(options.database):
        failed = run(options)
    print(f"{failed} failed; they are in {options.failures}" if failed else "no promise was broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
