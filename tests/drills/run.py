"""`python -m tests.drills.run [--only NAME]... [--short] [--seconds N] [--seed N] [--logs FOLDER]`

Plays the drills, each on its own clusters. All drills together have `--seconds` of load. With `--short`, drills share
a stage if they can, and each drill ends once it has seen what it looks for. `--logs` keeps the logs of processes and
servers. The exit code is 0 only if everything holds.
"""

import argparse
import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import sys
import time

import django

from tests.drills.clocks import WRONG_CLOCK, play_wrong_clock
from tests.drills.drill import Found, Logs, play, wait_for_it
from tests.drills.outages import OUTAGES, rejoin
from tests.drills.pooling import play_pooler
from tests.drills.stage import Stage, behind_pooler, pair
from tests.harness.clusters import can_mount

POOLERS = {"pooler-200": 200, "pooler-0": 0}
NAMES = [WRONG_CLOCK, *OUTAGES, *POOLERS]
# seconds of load: behind each pooler in the short form, and for all drills together in the long form
SHORT_LOAD, LOAD = 20, 600


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.drills.run")
    words.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    words.add_argument("--short", action="store_true")
    words.add_argument("--seconds", type=float, default=LOAD)
    words.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    words.add_argument("--logs", type=pathlib.Path)
    options = words.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    names = [name for name in NAMES if name in (options.only or NAMES)]
    if "full-disk" in names and not can_mount():
        print("full-disk is not played: no file system can be mounted here")
        names.remove("full-disk")
    print(f"drills: seed {options.seed}, {', '.join(names)}", flush=True)
    began, wrong = time.monotonic(), 0
    for group in groups(names, options.short):
        each = SHORT_LOAD if options.short else options.seconds / len(names)
        wrong += play_together(group, options, seconds=each)
    print(f"seed {options.seed}: {wrong} things wrong, {time.monotonic() - began:.0f} s")
    print("0 passed, 1 failed" if wrong else f"{len(names)} passed, 0 failed")
    return 1 if wrong else 0


def groups(names: list[str], short: bool) -> list[list[str]]:
    """Returns the groups of drills that share a stage, in their order."""
    if not short:
        return [[name] for name in names]
    found = [[name for name in names if name not in POOLERS], [name for name in names if name in POOLERS]]
    return [group for group in found if group]


def play_together(names: list[str], options: argparse.Namespace, *, seconds: float) -> int:
    """Plays the drills on one stage, waits until all orders of the load have ended, and judges the result. Prints each
    fault, and returns their number."""
    began = time.monotonic()
    seed = options.seed
    stage_of = pair(seed) if names[0] not in POOLERS else behind_pooler(seed, prepared=POOLERS[names[0]])
    with stage_of as stage:
        stage.desk.cluster()
        wrong = 0
        stage.load.start()
        for name in names:
            started = time.monotonic()
            try:
                found = _play(stage, name, short=options.short, seconds=seconds)
            except Exception as error:
                found = Found(wrong=[f"broke off: {error!r}"])
            _tell(name, found, time.monotonic() - started)
            wrong += len(found.wrong)
        end = Found()
        with _noted(end):
            _end(stage, end)
        _tell(f"the books after {', '.join(names)}", end, time.monotonic() - began)
        if options.logs:
            _keep(stage, options.logs / names[0])
    return wrong + len(end.wrong)


def _play(stage: Stage, name: str, *, short: bool, seconds: float) -> Found:
    if name in POOLERS:
        return play_pooler(stage, POOLERS[name], seconds=seconds)
    if name == WRONG_CLOCK:
        return play_wrong_clock(stage, seconds=seconds)
    outage = OUTAGES[name]
    before = time.monotonic()
    found = play(stage, outage, seconds=outage.least if short else outage.long)
    if not stage.standby.pids() or stage.standby.sql("SELECT 1 WHERE NOT pg_is_in_recovery()"):
        rejoin(stage)
    if not short:
        wait_for_it(lambda: False, seconds - (time.monotonic() - before))
    return found


def _end(stage: Stage, found: Found) -> None:
    """Checks that every order comes to its end, and that our records equal the partners'."""
    logs = Logs(stage.desk)
    stage.load.stop()
    found.figures["orders taken"] = str(len(stage.load.accepted))
    stage.load.over_the_start_day()
    stage.load.calm()
    compared = stage.desk.manage("reconcile", check=False, timeout=300)
    found.expect(compared.returncode == 0, f"reconcile: {compared.stdout[-800:]}{compared.stderr[-800:]}")
    found.wrong += stage.load.judge()
    found.wrong += logs.tracebacks()


def _keep(stage: Stage, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in stage.desk.folder.glob("*.log"):
        shutil.copy(path, folder)
    (folder / "servers.log").write_text(stage.server_logs())


@contextlib.contextmanager
def _noted(found: Found):
    """An exception also counts as a fault."""
    try:
        yield
    except Exception as error:
        found.wrong.append(f"broke off: {error!r}")


def _tell(name: str, found: Found, seconds: float) -> None:
    figures = "; ".join(f"{what} {figure}" for what, figure in found.figures.items())
    print(f"{name} ({seconds:.0f} s): {figures}", flush=True)
    for line in found.wrong[:30]:
        print(f"  WRONG {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
