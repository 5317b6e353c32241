"""`make model`: plays sequences on SQLite, then on PostgreSQL if a server responds.

Options: `--count N` sequences on SQLite (a fifth of them on PostgreSQL), `--database sqlite|postgres`, `--seed N`, and
`--part N` for the number of sequences in a part. Each part prints its seed and the number of its sequences.
"""

import argparse
import contextlib
import gc
import os
import secrets
import subprocess
import sys
import time

COUNT, SHARE, PART, STEPS = 1500, 5, 250, 40


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.model.run")
    words.add_argument("--count", type=int, default=COUNT)
    words.add_argument("--seed", type=int)
    words.add_argument("--part", type=int, default=PART)
    words.add_argument("--steps", type=int, default=STEPS)
    words.add_argument("--without", action="append", default=[], metavar="RULE", help="so that older seeds play")
    words.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    options = words.parse_args()
    if options.database != "both":
        return play_here(options)
    from tests.run import find_server

    server = find_server()
    code = play_apart(options, "sqlite", options.count, "")
    if server:
        code = play_apart(options, "postgres", max(1, options.count // SHARE), server.url) or code
    else:
        print("no PostgreSQL answers: SQLite alone")
    return code


def play_apart(options, database: str, count: int, url: str) -> int:
    """Plays in a separate process, because the settings have only one database."""
    command = [sys.executable, "-m", "tests.model.run", "--database", database, "--count", str(count)]
    command += ["--part", str(options.part), "--steps", str(options.steps)]
    command += ["--seed", str(options.seed)] if options.seed is not None else []
    command += [word for rule in options.without for word in ("--without", rule)]
    return subprocess.run(command, env=os.environ | {"DESK_TEST_DATABASE_URL": url}).returncode


def play_here(options) -> int:
    """Plays the sequences in this process, part by part. Each part has another seed."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from tests.model.harness import Stage
    from tests.model.rules import leave_out

    leave_out(options.without)
    done = 0
    with database(), Stage() as stage:
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        while done < options.count:
            count = min(options.part, options.count - done)
            seed = options.seed if options.seed is not None and not done else secrets.randbelow(10**9)
            began = time.process_time()
            print(f"model: {options.database}, seed {seed}, {count} sequences", end=" ", flush=True)
            found = play_part(stage, seed, count, options.steps)
            if found:
                print(f"\n{found}\n(seed {seed})\n0 passed, 1 failed")
                return 1
            done += count
            print(f"well, {count / (time.process_time() - began):.1f} a second of CPU; {done} of {options.count}")
    print(f"{done} sequences\n1 passed, 0 failed")
    return 0


def play_part(stage, seed: int, count: int, steps: int) -> str:
    """Plays `count` sequences. Returns the shrunk failing case as text, or ""."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.model.machine import Model

    Model.stage = stage
    chosen = settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        verbosity=hypothesis.Verbosity.quiet,
    )
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(Model), settings=chosen)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__} {error}\n\n{stage.desk.story()}"
    return ""


@contextlib.contextmanager
def database():
    """Creates an empty test database: in memory, or on the PostgreSQL of the settings."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = None
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    sys.exit(main())
