"""The partners as a process of their own: in the place of tests.model.partner, over real HTTP. And a mail server."""

import datetime
import json
import smtplib
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace

import requests
from django.core.mail.backends.base import BaseEmailBackend

from tests.model.partner import FAULTS, by_hand

PLAINLY = {"kind": "slow", "seconds": 0}  # an answer as it should be: what a fault queue has for "all is well"
SLOW = 1.3  # seconds; longer than PARTNER_TIMEOUT_SECONDS of a run
# What the sandbox's process can't show is shown by what comes nearest.
SHOWN = {name: {"kind": kind} for name, kind in FAULTS.items()} | {
    "ok": PLAINLY,
    "silent": {"kind": "503"},
    "before": {"kind": "409"},
    "late": {"kind": "slow", "seconds": SLOW},
    "odd": {"kind": "reset_after"},
    "odd no": {"kind": "garbage"},
    "again": {"kind": "409"},
    "later": {"kind": "refusal", "code": 503},
}


class MailServer(BaseEmailBackend):
    """Takes the mails of all drains: `taken` has (Message-ID, recipient) each time. The next ones meet these `fates`:
    `ok`, `refuse` for good, or anything else for now."""

    taken: list[tuple[str, str]] = []
    fates: deque[str] = deque()

    def send_messages(self, messages):
        fate = self.fates.popleft() if self.fates else "ok"
        if fate != "ok":
            raise smtplib.SMTPResponseException(554 if fate == "refuse" else 451, fate)
        self.taken.extend((one.extra_headers["Message-ID"], one.to[0]) for one in messages)


@dataclass
class Wire:
    """Has the names that tests.model's desk knows of its wire."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    stalled: tuple = ()
    forgetful: bool = False
    told: frozenset = frozenset({"create", "cancel", "start"})  # what may have been accepted: nobody counts

    def __post_init__(self):
        self.partners = SimpleNamespace(store=self)
        self.fates = Fates(self)

    # --- faults

    def show(self, fate: str, path: str = "*", count: int = 1) -> None:
        """The next answers there meet this fate."""
        self._ask("POST", "/faults", {"path": path, "count": count} | SHOWN.get(fate, {"kind": fate}))

    def heal(self) -> None:
        """From now on all goes well; what is under way has ended."""
        self._ask("DELETE", "/faults")
        MailServer.fates.clear()
        self.settle()

    def reset(self) -> None:
        """Empty and healthy."""
        self._ask("POST", "/reset")
        MailServer.fates.clear()
        MailServer.taken.clear()

    def settle(self) -> None:
        """Waits until the partners have carried out all that they were asked: their time is real, ours is not."""
        while any(call["took"] is None for call in self._ask("GET", "/calls?calls=50")["calls"]):
            time.sleep(0.05)

    def carry_out_stalled(self, *, now: datetime.datetime | None = None) -> int:
        """The partners themselves carry out calls that were too slow."""
        self.settle()
        return 0

    # --- their books

    def records(self, job_id: str | None = None) -> list[dict]:
        """Their billing records, as integrations.sandbox.store gives them."""
        rows = self._ask("GET", "/state?calls=0")["records"]
        return rows if job_id is None else [row for row in rows if row["jobId"] == job_id]

    def processes(self) -> list[dict]:
        """BPM's processes, those too of calls that are under way."""
        self.settle()
        return self._ask("GET", "/state?calls=0")["processes"]

    def violations(self) -> list[dict]:
        return self._ask("GET", "/state?calls=0")["violations"]

    def be_strict(self, strict: bool) -> None:
        """Sets whether big data refuses to cancel a record that it does not hold."""
        self._ask("POST", "/strict", {"strict": strict})

    def meddle(self, row: dict, what: str, to: str = "") -> None:
        """Somebody at the big-data side changes a billing record by hand (`by_hand`), or removes it: `delete`."""
        address = "/bigdata/productInfos" + ("/delete" if what == "delete" else "")
        named = {name: row[name] for name in ("jobId", "productId", "domain", "enterpriseId", "infoType")}
        body = {"productInfos": [named if what == "delete" else by_hand(row, what, to)]}
        for _ in range(50):  # a fault that is set may be met by this call too
            try:
                answer = self.session.post(
                    self.url + address, json.dumps(body), headers={"Idempotency-Key": f"by-hand-{uuid.uuid4()}"}
                ).json()
            except (requests.RequestException, ValueError):
                continue
            if answer["code"] == 200:
                return

    def _ask(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = self.session.request(method, self.url + path, json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()


@dataclass
class Fates:
    """As the model's queue of fates. A fate that meets no call stays set, and meets the next caller."""

    wire: Wire

    def extend(self, fates) -> None:
        for fate in fates:
            self.wire.show(fate)

    def clear(self) -> None:
        """Nothing: only `heal` clears."""

    def __iter__(self):
        return iter(())
