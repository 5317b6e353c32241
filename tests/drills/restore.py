"""A restore, with real processes: `python -m tests.drills.restore [--database sqlite|postgres|standby]`.

A copy of the database is made. Then 20 more orders, and the orders of three trials that were only accepted before, are
carried out at the partners. The copy is put in place without the desk's own commands. The guard must notice the
restore, and nothing must be sent. The steps of docs/restore.md must lead to equal books, with no process started
twice.

`standby`: a standby that lagged behind is promoted, which is a restore as well.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter

import django
import requests

from tests.bpm_messages import approval
from tests.drills.stage import either
from tests.harness.clusters import ROLE, PostgresCluster, Standby
from tests.harness.desk import ProcessDesk
from tests.processes.orders import activation, post_all, trial, until_active

DATABASES = ("sqlite", "postgres", "standby")
SERVER = "postgres://root@127.0.0.1:5432/postgres"
EARLIER, PROMISED, LATER = range(1, 4), range(4, 7), range(7, 17)  # numbers of trials, each with its activation
MARKED = 3.0  # seconds until a machine has noted what it saw, which it does once a second
QUIET = 4.0  # seconds in which a wrong call would be sent
LOOKS = ("/query",)


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.drills.restore")
    words.add_argument("--database", choices=[*DATABASES, "all"], default="all")
    database = words.parse_args().database
    if database == "all":
        return all_at_once()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # needed to sign BBOSS's messages
    django.setup()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="desk-restore-") as folder:
        if database == "standby":
            lagging_standby(pathlib.Path(folder))
        else:
            drill(pathlib.Path(folder), SERVER if database == "postgres" else "")
    print(f"restore on {database}: well, in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def all_at_once() -> int:
    """Plays each database in a process of its own, because the drills mostly wait. Prints each output after its
    process has ended."""
    command = [sys.executable, "-m", "tests.drills.restore", "--database"]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    played = [subprocess.Popen([*command, database], **output) for database in DATABASES]
    for one in played:
        print(one.communicate()[0], end="", flush=True)
    failed = sum(one.returncode != 0 for one in played)
    print(f"{len(played) - failed} passed, {failed} failed")
    return 1 if failed else 0


def drill(folder: pathlib.Path, postgres: str) -> None:
    """Plays the whole drill. Raises AssertionError if anything goes another way."""
    with ProcessDesk(folder, postgres=postgres) as desk:
        desk.start_worker()
        post_all(desk, orders(EARLIER))
        until_active(desk, EARLIER[0], EARLIER[-1])
        desk.stop("worker")
        promised = post_all(desk, orders(PROMISED))
        desk.manage("backup", str(folder / "backup"))
        desk.start_worker()
        later = post_all(desk, orders(LATER))
        until_active(desk, PROMISED[0], LATER[-1])
        told("copied, and", len(promised) + len(later), "orders carried out since")

        for name in ("worker", "web"):
            desk.stop(name)
        put_copy_in_place(desk, folder / "backup")
        desk.start_web()
        desk.start_worker()
        nothing_goes_in_or_out(desk, next(iter(orders(LATER))))

        named = unknown_numbers(desk, folder)
        assert named == set(later), named
        told("the guard noticed;", len(named), "numbers are named as missing")

        desk.manage("restored", "--reason", "BBOSS 名单已核对", "--by", "drill")
        post_all(desk, orders(LATER))
        until_active(desk, LATER[0], LATER[-1])
        held = [f"100A{n:04d}" for n in PROMISED]
        desk.until(lambda: set(held) <= stuck(desk), seconds=60, every=2)  # each check runs a command
        desk.manage("resend", *held)
        until_active(desk, PROMISED[0], LATER[-1])
        told("all sent again, and", len(held), "processes by a person's word")

        books_are_equal(desk, folder)


def lagging_standby(folder: pathlib.Path) -> None:
    """Kills the primary while the standby lacks its last commits. The desk comes back by itself, and sends nothing.
    Raises AssertionError if anything goes another way."""
    with PostgresCluster() as primary:
        primary.sql(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        with Standby(primary) as standby, ProcessDesk(folder, postgres=either(primary.port, standby.port)) as desk:
            desk.start_worker()
            post_all(desk, orders(EARLIER))
            until_active(desk, EARLIER[0], EARLIER[-1])
            behind = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn < pg_current_wal_lsn()"
            desk.until(lambda: primary.sql(behind) == [(0,)], seconds=60)
            standby.stop()
            post_all(desk, orders(PROMISED))
            until_active(desk, PROMISED[0], PROMISED[-1])
            time.sleep(MARKED)
            primary.kill()
            standby.start()
            standby.promote()
            desk.until(
                lambda: requests.get(f"{desk.web_url}/readyz", timeout=40).json()["database"] != "away", seconds=60
            )
            nothing_goes_in_or_out(desk, next(iter(orders(LATER))))
            told("a standby that lacks", len(orders(PROMISED)), "orders counts as restored")


def orders(numbers: range) -> list[dict]:
    """Returns a trial and its activation for each number, the trials first."""
    return [*(trial(n) for n in numbers), *(activation(n) for n in numbers)]


def put_copy_in_place(desk: ProcessDesk, backup: pathlib.Path) -> None:
    """Puts the copy in place without the desk's commands, as a person does who does not know them."""
    if not desk.postgres:
        for file in desk.folder.glob("desk.sqlite3*"):
            file.unlink()
        shutil.copy(backup / "database.sqlite3", desk.folder / "desk.sqlite3")
        return
    desk.sql(f"DROP DATABASE {desk.name} WITH (FORCE)")
    desk.sql(f"CREATE DATABASE {desk.name}")
    command = ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={desk.database_url}"]
    subprocess.run([*command, str(backup / "database.dump")], check=True)


def nothing_goes_in_or_out(desk: ProcessDesk, content: dict) -> None:
    """Checks that BBOSS and BPM are told to send again, that /readyz gives the reason, and that no call changes
    anything at a partner."""
    before = len(changes(desk))
    reply = desk.post(content)
    assert reply["response"]["rspCode"] == "20000", reply
    assert desk.callback(approval(content["OrderNum"])).status_code == 503
    answer = requests.get(f"{desk.web_url}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["database"]) == (503, "restored"), answer.text
    desk.until(lambda: bool(desk.heartbeats(since=desk.worker_since)), seconds=60, every=0.2)
    time.sleep(QUIET)
    assert len(changes(desk)) == before, changes(desk)[before:]


def changes(desk: ProcessDesk) -> list[dict]:
    return [call for call in desk.calls() if not call["path"].endswith(LOOKS)]


def unknown_numbers(desk: ProcessDesk, folder: pathlib.Path) -> set[str]:
    """Returns the numbers that `reconcile --numbers` with BBOSS's list names as unknown."""
    said = desk.manage("reconcile", "--numbers", str(numbers_of_bboss(folder)), check=False)
    assert said.returncode == 1, said.stdout + said.stderr
    return {line.split()[0].rstrip(":") for line in said.stdout.splitlines() if "Number that we do not know" in line}


def numbers_of_bboss(folder: pathlib.Path) -> pathlib.Path:
    file = folder / "numbers.txt"
    file.write_text("\n".join(one["OrderNum"] for one in orders(range(EARLIER[0], LATER[-1] + 1))))
    return file


def stuck(desk: ProcessDesk) -> set[str]:
    return {row["order"] for row in json.loads(desk.manage("stuck", "--json", check=False).stdout)}


def books_are_equal(desk: ProcessDesk, folder: pathlib.Path) -> None:
    """Checks that both sides' records are equal and that no process was started twice. The only open incidents may be
    those about calls that may have acted before."""
    said = desk.manage("reconcile", "--numbers", str(numbers_of_bboss(folder)), check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    state = desk.partners()
    processes = Counter(process["code"] for process in state["processes"])
    assert set(processes.values()) == {1}, processes
    assert not [row for row in state["violations"] if row["kind"] != "key_reused"], state["violations"]
    codes = desk.rows(
        "SELECT DISTINCT i.code FROM orders_affectedorder a JOIN orders_incident i ON i.id = a.incident_id "
        "WHERE a.closed_at IS NULL"
    )
    assert {code for (code,) in codes} <= {"acted_before"}, codes
    assert "Traceback" not in desk.all_logs(), desk.logs()


def told(*words: object) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(" ", *words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
