"""`python -m tests.tools.chaos.run [--orders 300] [--seconds 60] [--seed N] [--database sqlite|postgres]`

Prints the seed. The same seed gives the same messages and the same faults. Exits with 0 only if no error is found.
"""

import argparse
import os
import random
import secrets
import sys
import time

import django
import requests

from tests.harness.desk import desk_upon
from tests.tools.chaos.aftermath import Aftermath
from tests.tools.chaos.breakage import Breakage
from tests.tools.chaos.world import SHANGHAI, World

SETTINGS = {
    "DISPATCH_RETRY_SECONDS": "1,1,2,2,3,3",
    "DISPATCH_LEASE_SECONDS": "12",
    "PARTNER_TIMEOUT_SECONDS": "3",
    "BREAKER_PROBE_SECONDS": "2",
    "LOG_LEVEL": "WARNING",
}


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.tools.chaos.run")
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


class Run(Aftermath):
    """A chaos run: random faults, then recovery, then checks."""

    def __init__(self, options, desk, server):
        chance = random.Random(options.seed)
        super().__init__(desk, World(random.Random(chance.random()), desk.now().astimezone(SHANGHAI).date()))
        self.options = options
        self.breakage = Breakage(random.Random(chance.random()), desk, server)
        self.random = random.Random(chance.random())

    def play(self) -> list[str]:
        self.desk.start_worker()
        self.storm()
        self.over_the_start_day()
        self.calm()
        return self.judge()

    # --- the storm

    def storm(self) -> None:
        """Sends messages and callbacks and breaks parts, in random order over the given seconds."""
        blows = max(6, int(self.options.seconds / 2.5))
        acts = ["order"] * self.options.orders + ["callback"] * (self.options.orders // 5) + ["blow"] * blows
        self.random.shuffle(acts)
        pause = self.options.seconds / len(acts)
        for act in acts:
            began = time.monotonic()
            {"order": self.order, "callback": self.callback, "blow": self.blow}[act]()
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    def order(self) -> None:
        """Posts an order like BBOSS, repeatedly until there is a response."""
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

    def blow(self) -> None:
        print("  ", self.breakage.strike(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
