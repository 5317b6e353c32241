"""Orders accepted per second with each kind of connection pooling.

Run `python -m bench.pooling [--seconds 10] [--rounds 3]`.

If `psycopg_pool` is not installed, Django's own pool is left out.
"""

import contextlib
import importlib.util
from urllib.parse import urlsplit

from bench.desk import Desk
from bench.environment import NAME, SERVER
from bench.ingest import Case, p99, read_options, speed, take_rounds
from bench.results import append, spread
from tests.harness.pooler import PgBouncer


def main() -> None:
    """Runs all cases alternately, and appends the medians."""
    options = read_options()
    server = urlsplit(SERVER)
    with Desk() as desk, contextlib.ExitStack() as stack:
        cases: dict[str, dict[str, str]] = {"conn_max_age 60": {}}
        if importlib.util.find_spec("psycopg_pool"):
            cases["Django's pool"] = {"DATABASE_URL": f"{SERVER}/{NAME}?pool=true"}
        for prepared in (200, 0):
            pooler = PgBouncer(server.port or 5432, prepared=prepared, user=server.username)
            url = stack.enter_context(pooler).url_of(NAME)
            cases[f"PgBouncer, {prepared} prepared"] = {"DATABASE_URL": url, "DATABASE_POOLER": "true"}
        for name, more in cases.items():
            desk.start_web(name, "project.wsgi", **more)
        rounds = take_rounds(desk, {name: Case(name) for name in cases}, options)
        append("pooling", _report(rounds, options.seconds))


def _report(rounds: dict[tuple[str, int], list[dict]], seconds: int) -> list[str]:
    lines = [
        f"gunicorn 2 x 4 threads, PostgreSQL, first activations, {seconds} s a round.",
        "",
        "| connections | clients | orders/s | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (name, clients), runs in rounds.items():
        p50 = [one["p50"] for one in runs]
        lines.append(f"| {name} | {clients} | {spread(speed(runs))} | {spread(p50, 1)} | {spread(p99(runs), 1)} |")
    return lines


if __name__ == "__main__":
    main()
