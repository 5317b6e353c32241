"""`python -m tests.chaos.run [--orders 300] [--seconds 60] [--seed N] [--database sqlite|postgres]`

The seed is printed; the same seed plays the same messages and the same blows. Exit 0 only if everything holds.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import secrets
import sys
import tempfile
import time

import django
import requests

from integrations.tie import STOP_WITHIN

SETTINGS = {
    "DISPATCH_RETRY_SECONDS": "1,1,2,2,3,3",
    "DISPATCH_LEASE_SECONDS": "12",
    "PARTNER_TIMEOUT_SECONDS": "3",
    "BREAKER_PROBE_SECONDS": "2",
    "LOG_LEVEL": "WARNING",
}
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
DAY = 86400
LOOK_AGAIN = 700  # over the ten minutes after which a possibly unknown record is looked at once more


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.chaos.run")
    words.add_argument("--orders", type=int, default=300)
    words.add_argument("--seconds", type=float, default=60)
    words.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    words.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    options = words.parse_args()
    size = f"{options.orders} orders, {options.seconds:.0f} s, {options.database}"
    print(f"chaos: seed {options.seed}, {size}", flush=True)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    wrong = play(options)
    for line in wrong[:50]:
        print(f"WRONG {line}")
    print(f"seed {options.seed}: {len(wrong)} things wrong")
    print("0 passed, 1 failed" if wrong else "1 passed, 0 failed")
    return 1 if wrong else 0


def play(options) -> list[str]:
    with desk_upon(options.database, clock="+0", **SETTINGS) as (desk, server):
        return Run(options, desk, server).play()


@contextlib.contextmanager
def desk_upon(database: str, **settings: str):
    """(A whole desk of processes, its PostgreSQL server or None), all gone afterwards."""
    from tests.chaos.postgres import PrivatePostgres
    from tests.processes.desk import ProcessDesk

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-processes-")))
        server = stack.enter_context(PrivatePostgres()) if database == "postgres" else None
        yield stack.enter_context(ProcessDesk(folder, postgres=server.url if server else "", **settings)), server


class Run:
    """One run: storm, calm, judgement."""

    def __init__(self, options, desk, server):
        from tests.chaos.breakage import Breakage
        from tests.chaos.world import World

        self.options, self.desk, self.offset = options, desk, 0
        chance = random.Random(options.seed)
        self.world = World(random.Random(chance.random()), desk.now().astimezone(SHANGHAI).date())
        self.breakage = Breakage(random.Random(chance.random()), desk, server)
        self.random = random.Random(chance.random())
        self.accepted: dict[str, str] = {}
        self.callbacks: list[dict] = []

    def play(self) -> list[str]:
        self.desk.start_worker()
        self.storm()
        self.over_the_start_day()
        self.calm()
        return self.judge()

    # --- the storm

    def storm(self) -> None:
        """Messages, callbacks and blows, spread by chance over the seconds."""
        blows = max(6, int(self.options.seconds / 2.5))
        acts = ["order"] * self.options.orders + ["callback"] * (self.options.orders // 5) + ["blow"] * blows
        self.random.shuffle(acts)
        pause = self.options.seconds / len(acts)
        for act in acts:
            began = time.monotonic()
            {"order": self.order, "callback": self.callback, "blow": self.blow}[act]()
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    def order(self) -> None:
        """As BBOSS does: sent again until there is an answer."""
        content = self.world.next()
        for _ in range(60):
            try:
                reply = self.desk.post(content)
            except (requests.RequestException, ValueError):
                reply = None
            if reply and reply["response"]["rspCode"] != "20000":
                break
            time.sleep(0.5)
        else:
            raise AssertionError(f"no answer for {content}\n{self.desk.logs()}")
        if reply["response"]["rspCode"] == "00000" and content.get("BackFlag") != "1":
            self.accepted[content["OrderNum"]] = reply["transIDH"]

    def callback(self) -> None:
        record = self.world.callback()
        if record:
            self.callbacks.append(record)
            self.send_callback(record)

    def send_callback(self, record: dict) -> bool:
        """True once it was taken, or never will be (an order that was refused)."""
        try:
            return self.desk.callback(record).status_code in {200, 404}
        except requests.RequestException:
            return False

    def blow(self) -> None:
        print("  ", self.breakage.strike(), flush=True)

    # --- afterwards

    def over_the_start_day(self) -> None:
        """The clock jumps over the start day while the worker is down."""
        self.desk.stop("worker")
        self.jump(DAY)
        self.desk.start_worker()

    def jump(self, seconds: int) -> None:
        self.offset += seconds
        self.desk.at(f"+{self.offset}")

    def calm(self) -> None:
        """Partners are well again, late trials and callbacks come; all that can end has ended."""
        requests.delete(f"{self.desk.sandbox_url}/faults", timeout=10)
        for content in self.world.late_trials:
            self.accepted[content["OrderNum"]] = self.desk.post(content)["transIDH"]
        for record in self.callbacks:
            self.desk.until(lambda record=record: self.send_callback(record))
        self.until_quiet()
        self.jump(LOOK_AGAIN)
        self.until_quiet()

    def until_quiet(self) -> None:
        """Nothing is due, on its way or about to become due, twice in a row."""
        self.desk.until(self.quiet, seconds=240, every=1)

    def quiet(self) -> bool:
        return self.desk.manage("shell", "-v0", "-c", QUIET).stdout.strip() == "0"

    def judge(self) -> list[str]:
        """The judgement reads our tables in a process that has no clock of its own."""
        self.desk.stop("worker")
        self.desk.until(lambda: not self.orphans(), seconds=STOP_WITHIN + 10)
        facts = json.dumps({"accepted": self.accepted, "partners": self.desk.partners()})
        (self.desk.folder / "facts.json").write_text(facts)
        script = JUDGE.format(path=repr(str(self.desk.folder / "facts.json")))
        found = self.desk.manage("shell", "-v0", "-c", script, check=False)
        if found.returncode:
            return [found.stderr[-2000:]]
        summary, wrong = found.stdout.strip().splitlines()[-2:]
        print(summary)
        return json.loads(wrong)

    def orphans(self) -> list:
        """What belongs to no process of ours any more: a cluster whose watchdog was killed has STOP_WITHIN to end, and
        takes it where it hung."""
        rows = self.desk.alive()
        known = {os.getpid(), *(row.pid for row in rows)}
        return [row for row in rows if row.parent not in known]


QUIET = """
from django.utils import timezone
from orders.models import Dispatch
from orders.models.dispatch import OPEN_STATES
from orders.services.stepping import release
from orders.services import settle_arrived
from orders.activation import activate
now = timezone.now()
print(settle_arrived(now=now) + len(activate(numbers=None, by="chaos", now=now)) + release(now=now)
      + Dispatch.objects.filter(state__in=OPEN_STATES).count())
"""
JUDGE = """
import json
from tests.chaos.truth import all_wrong, summary
print(summary())
facts = json.load(open({path}))
print(json.dumps(all_wrong(facts["accepted"], facts["partners"]), ensure_ascii=False))
"""

if __name__ == "__main__":
    sys.exit(main())
