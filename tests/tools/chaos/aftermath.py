"""What follows a storm: the start days, calm, the judgement of truth.py."""

import json
import os

import requests

from integrations.worker.parent_link import STOP_WITHIN
from tests.harness.desk import ProcessDesk
from tests.tools.chaos.world import World

DAY = 86400
LOOK_AGAIN = 700  # over the ten minutes after which a possibly unknown record is looked at once more


class Aftermath:
    """`accepted`: {order number: the transIDH that 00000 gave}; `callbacks`: the records that BPM sent, or tried to."""

    def __init__(self, desk: ProcessDesk, world: World):
        self.desk, self.world, self.offset = desk, world, 0
        self.accepted: dict[str, str] = {}
        self.callbacks: list[dict] = []

    def send_callback(self, record: dict) -> bool:
        """True once it was taken, or never will be (an order that was refused)."""
        try:
            return self.desk.callback(record).status_code in {200, 404}
        except requests.RequestException:
            return False

    def over_the_start_day(self) -> None:
        """The clock jumps over the start day while the workers are down."""
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
        """What is wrong. Our tables are read in a process that has no clock of its own."""
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
        """What belongs to no process of ours any more: a cluster whose watchdog was killed has STOP_WITHIN to end, and
        takes it where it hung."""
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
