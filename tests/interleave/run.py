"""`make interleave`: plays random interleavings with resends and staff's repairs, with the partners' process.

- `--count N`: the number of interleavings
- `--database sqlite|postgres`, `--seed N`
- `--together N`: the number of players that share a desk; their interleavings are a batch
- `--batch N`: plays only this batch of the seed
- `--again N`: prints a wrong batch, but counts the batch only if it is wrong N times more. CI uses it, because an
  error that happens once in hundreds of batches must not stop an unrelated change.

At the end of each batch, the desk comes to rest and is checked, and staff repair what is left. Threads race, so a seed
plays the same acts, but not always the same race. Exits with 0 only if all batches are right.
"""

import argparse
import datetime
import importlib
import logging
import os
import random
import secrets
import signal
import sys
import time
import traceback

import django

from tests.harness.desk import desk_upon

COUNT, TOGETHER, STEPS = 500, 4, 30
BEGIN = datetime.datetime.fromisoformat("2023-09-20T18:54:36+08:00")
SETTINGS = {
    "PARTNER_TIMEOUT_SECONDS": "1",
    "DISPATCH_RETRY_SECONDS": "30,120,600,1800,7200,21600",
    "BREAKER_FAILURES": "8",
    "LOG_LEVEL": "WARNING",
}
LEFT_ALONE = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.interleave.run")
    words.add_argument("--count", type=int, default=COUNT)
    words.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    words.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    words.add_argument("--together", type=int, default=TOGETHER)
    words.add_argument("--steps", type=int, default=STEPS)
    words.add_argument("--batch", type=int)
    words.add_argument("--again", type=int, default=0)
    options = words.parse_args()
    print(f"interleave: seed {options.seed}, {options.count} interleavings, {options.database}", flush=True)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with desk_upon(options.database, clock=BEGIN.isoformat(), **SETTINGS) as (processes, _):
        prepare(processes)
        wrong = Run(options, processes).play()
    print(f"seed {options.seed}: {len(wrong)} batches wrong {wrong or ''}, {time.monotonic() - began:.0f} s")
    print("0 passed, 1 failed" if wrong else "1 passed, 0 failed")
    return 1 if wrong else 0


def prepare(processes) -> None:
    """Makes this process a part of the desk: with the desk's settings, database and clock."""
    os.environ.update(processes.environment)
    django.setup()
    importlib.import_module("tests.clock_site.sitecustomize")


class Run:
    """Plays one batch after the other. Each batch begins with an empty desk."""

    def __init__(self, options, processes):
        from integrations.delivery import loop
        from tests.interleave.desk import Clock, claim_and_look
        from tests.interleave.wire import Wire
        from tests.model import worker
        from tests.model.harness import Complaints

        loop.claim = worker.claim = claim_and_look

        self.options, self.processes = options, processes
        self.clock, self.wire = Clock(processes, BEGIN), Wire(processes.sandbox_url)
        self.complaints = Complaints()
        for name in ("integrations", "orders"):
            logging.getLogger(name).addHandler(self.complaints)
        self.kept = LEFT_ALONE | filled_tables()

    def play(self) -> list[int]:
        """Plays all batches. Returns the numbers of the wrong ones, and -1 for an exception in the web process."""
        from tests.model.harness import quiet_logs

        together = self.options.together
        batches = range(-(-self.options.count // together))
        wrong = []
        with quiet_logs():
            for batch in batches if self.options.batch is None else [self.options.batch]:
                among = min(together, self.options.count - batch * together)
                if self.batch(batch, among) and all(self.batch(batch, among) for _ in range(self.options.again)):
                    wrong.append(batch)
                elif batch % 10 == 9:
                    print(f"  {batch * together + among} played", flush=True)
        if "Traceback" in self.processes.log("web"):
            print(self.processes.log("web")[-3000:])
            wrong.append(-1)
        return wrong

    def batch(self, number: int, among: int) -> str:
        """Plays one batch. Prints and returns the error, or returns "" if there is none."""
        desk = self.empty_desk()
        try:
            self.interleave(desk, number, among)
        except Exception as error:
            found = str(error) if isinstance(error, AssertionError) else traceback.format_exc(limit=-6)
            again = f"--seed {self.options.seed} --together {self.options.together} --batch {number}"
            print(f"WRONG {found}\n({again} --database {self.options.database})\n{desk.story()}\n", flush=True)
            return found
        finally:
            for thread in desk.drains:
                thread.join()
        return ""

    def interleave(self, desk, number: int, among: int) -> None:
        """Lets the players act in random order. Then checks the desk, lets staff repair it, and checks it again."""
        from django.conf import settings
        from django.db import connection

        from tests.interleave.player import Player
        from tests.model.rescue import CREWS

        chance = random.Random(f"{self.options.seed}-{number}")
        marks = [f"x{number * among + place}" for place in range(among)]
        players = [Player(desk, random.Random(chance.random()), mark, among) for mark in marks]
        crew = chance.choice(["", *CREWS])
        turns = [player for player in players for _ in range(self.options.steps)]
        chance.shuffle(turns)
        settings.PARTNER_ANSWERS = chance.choice(["trust", "prove", "prove"])
        desk.profile(ask=chance.random() < 0.3)
        with connection.execute_wrapper(desk.statements):
            for player in players:
                player.begin()
            for player in turns:
                player.step()
            desk.check()
            if crew:
                desk.mend(crew)

    def empty_desk(self):
        """Returns a desk without orders, with partners without records, at the first moment of the clock."""
        from django.conf import settings
        from django.contrib.auth import get_user_model
        from django.utils import timezone

        from orders.models import Timeline
        from tests.interleave.desk import SharedDesk
        from tests.model.asked import ASKER, JUDGE, account
        from tests.model.harness import PLAYED
        from tests.model.staff import owner

        self.wire.reset()
        self.clock.reset()
        empty_tables(self.kept)
        Timeline.objects.all().delete()  # with the old timeline, an emptied database would count as restored
        Timeline.objects.create(begun_at=timezone.now())
        for person in (account(ASKER), account(JUDGE), owner()):  # receive mails about what others do
            get_user_model().objects.filter(pk=person.pk).update(email=f"{person.username}@example.com")
        self.complaints.lines.clear()
        for name, value in (PLAYED | {"EMAIL_BACKEND": "tests.interleave.wire.MailServer"}).items():
            setattr(settings, name, value)
        return SharedDesk(self.clock, self.wire, self.complaints, self.processes)


def filled_tables() -> set[str]:
    """Returns the tables that migrations have filled."""
    from django.apps import apps

    return {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model.objects.exists()}


def empty_tables(kept: set[str]) -> None:
    """Empties all tables that are not in `kept`.

    On SQLite, this removes the triggers that forbid deletions, and creates them again (tests/flushing.py).
    """
    from django.core.management.color import no_style
    from django.db import connection, transaction

    from approvals import append_only
    from orders.db import trail_guard

    tables = [name for name in connection.introspection.django_table_names(only_existing=True) if name not in kept]
    statements = connection.ops.sql_flush(no_style(), tables)
    if connection.vendor == "sqlite":
        for guard in (append_only.guard, *trail_guard.IN_FORCE):
            statements = [*guard.drop_statements("sqlite"), *statements, *guard.create_statements("sqlite")]
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


if __name__ == "__main__":
    sys.exit(main())
