"""The end of a chaos run: the start day, recovery, and the checks of truth.py."""

import json
import os

import requests

from integrations.worker.parent_link import STOP_WITHIN
from tests.harness.desk import ProcessDesk
from tests.tools.chaos.world import World

DAY = 86400
LOOK_AGAIN = 700  # seconds; longer than the ten minutes after which a record with an unknown result is looked up again


class Aftermath:
    """Recovers a desk at the end of a chaos run, and checks it.

    `accepted` is {order number: the transIDH in the response 00000}. `callbacks` are the records that BPM sent or
    tried to send.
    """

    def __init__(self, desk: ProcessDesk, world: World):
        self.desk, self.world, self.offset = desk, world, 0
        self.accepted: dict[str, str] = {}
        self.callbacks: list[dict] = []

    def send_callback(self, record: dict) -> bool:
        """Posts a callback. Returns True if it was accepted, or if its order is unknown (404) and stays so."""
        try:
            return self.desk.callback(record).status_code in {200, 404}
        except requests.RequestException:
            return False

    def over_the_start_day(self) -> None:
        """Moves the clock past the start day while no worker is running."""
        for name in self.workers():
            self.desk.stop(name)
        self.jump(DAY)
        self.desk.start_worker()

    def workers(self) -> list[str]:
        return [name for name in self.desk.processes if name.startswith("worker")]

    def jump(self, seconds: int) -> None:
        self.offset += seconds
        self.desk.at(f"+{self.offset}")

    def calm(self) -> None:
        """Removes the faults, sends late trials and callbacks, and waits until nothing is due."""
        requests.delete(f"{self.desk.sandbox_url}/faults", timeout=10)
        for content in self.world.late_trials:
            self.accepted[content["OrderNum"]] = self.desk.post(content)["transIDH"]
        for record in self.callbacks:
            self.desk.until(lambda record=record: self.send_callback(record))
        self.until_quiet()
        self.jump(LOOK_AGAIN)
        self.until_quiet()

    def until_quiet(self) -> None:
        """Waits until nothing is due, in progress, or about to become due."""
        self.desk.until(self.quiet, seconds=240, every=1)

    def quiet(self) -> bool:
        return self.desk.manage("shell", "-v0", "-c", QUIET).stdout.strip() == "0"

    def judge(self) -> list[str]:
        """Returns the errors found. Our tables are read in a separate process, because this process has another
        clock."""
        for name in self.workers():
            self.desk.stop(name)
        self.desk.until(lambda: not self.orphans(), seconds=STOP_WITHIN + 10)
        facts = json.dumps({"accepted": self.accepted, "partners": self.desk.partners()})
        (self.desk.folder / "facts.json").write_text(facts)
        script = JUDGE.format(path=repr(str(self.desk.folder / "facts.json")))
        found = self.desk.manage("shell", "-v0", "-c", script, check=False)
        if found.returncode:
            return [found.stderr[-2000:]]
        summary, wrong = found.stdout.strip().splitlines()[-2:]
        print(summary, flush=True)
        return json.loads(wrong)

    def orphans(self) -> list:
        """Returns processes whose parent is gone. If a watchdog was killed, its cluster has STOP_WITHIN seconds to
        end. A hung cluster needs all of that time."""
        rows = self.desk.alive()
        known = {os.getpid(), *(row.pid for row in rows)}
        return [row for row in rows if row.parent not in known]


QUIET = """
from django.utils import timezone
from orders.models import Dispatch
from orders.models.dispatch import OPEN_STATES
from orders.outbox.release_steps import release
from orders.intake.replan_held_orders import settle_arrived
from orders.start_day.start_day import activate
now = timezone.now()
print(settle_arrived(now=now) + len(activate(numbers=None, by="chaos", now=now)) + release(now=now)
      + Dispatch.objects.filter(state__in=OPEN_STATES).count())
"""
JUDGE = """
import json
from tests.tools.chaos.truth import all_wrong, summary
print(summary())
facts = json.load(open({path}))
print(json.dumps(all_wrong(facts["accepted"], facts["partners"]), ensure_ascii=False))
"""
