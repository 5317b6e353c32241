"""The partners as a separate process. Replaces tests.model.partner by real HTTP. Also has a mail server."""

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

PLAINLY = {"kind": "slow", "seconds": 0}  # the entry of a fault queue for a normal answer
SLOW = 1.3  # seconds; longer than PARTNER_TIMEOUT_SECONDS of a run
# Faults (keys of FATES) that the sandbox's process can't cause are replaced by similar faults.
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
    """Receives the mails of all drains. `taken` has (Message-ID, recipient) of each received mail.

    `fates` has the outcomes of the next mails: `ok`, `refuse` for a permanent refusal, or another text for a temporary
    one.
    """

    taken: list[tuple[str, str]] = []
    fates: deque[str] = deque()

    def send_messages(self, messages):
        fate = self.fates.popleft() if self.fates else "ok"
        if fate != "ok":
            raise smtplib.SMTPResponseException(554 if fate == "refuse" else 451, fate)
        self.taken.extend((one.extra_headers["Message-ID"], one.to[0]) for one in messages)


@dataclass
class Wire:
    """Has the attributes of its wire that the model's desk uses (tests.model.partner.Wire)."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    stalled: tuple = ()
    forgetful: bool = False
    told: frozenset = frozenset({"create", "cancel", "start"})  # nobody counts, so each kind may have succeeded

    def __post_init__(self):
        self.partners = SimpleNamespace(store=self)
        self.fates = Fates(self)

    # --- faults

    def show(self, fate: str, path: str = "*", count: int = 1) -> None:
        """Sets the outcome `fate` (a key of FATES) for the next calls at this path."""
        self._ask("POST", "/faults", {"path": path, "count": count} | SHOWN.get(fate, {"kind": fate}))

    def heal(self) -> None:
        """Removes all faults, and waits until the calls in progress have ended."""
        self._ask("DELETE", "/faults")
        MailServer.fates.clear()
        self.settle()

    def reset(self) -> None:
        """Removes all data and all faults."""
        self._ask("POST", "/reset")
        MailServer.fates.clear()
        MailServer.taken.clear()

    def settle(self) -> None:
        """Waits until the partners have carried out all calls.

        This is necessary because the partners use the real time, and the desk does not.
        """
        while any(call["took"] is None for call in self._ask("GET", "/calls?calls=50")["calls"]):
            time.sleep(0.05)

    def carry_out_stalled(self, *, now: datetime.datetime | None = None) -> int:
        """Waits for the partners, which carry out late calls by themselves. Returns 0."""
        self.settle()
        return 0

    # --- the partners' records

    def records(self, job_id: str | None = None) -> list[dict]:
        """Returns the partners' billing records, in the form of integrations.sandbox.store."""
        rows = self._ask("GET", "/state?calls=0")["records"]
        return rows if job_id is None else [row for row in rows if row["jobId"] == job_id]

    def processes(self) -> list[dict]:
        """Returns BPM's processes, including those of calls that were in progress."""
        self.settle()
        return self._ask("GET", "/state?calls=0")["processes"]

    def violations(self) -> list[dict]:
        return self._ask("GET", "/state?calls=0")["violations"]

    def be_strict(self, strict: bool) -> None:
        """Sets whether big data refuses to cancel a record that it does not have."""
        self._ask("POST", "/strict", {"strict": strict})

    def meddle(self, row: dict, what: str, to: str = "") -> None:
        """Changes a billing record at the big-data side, as a person there might (`by_hand`).

        If `what` is `delete`, deletes the record.
        """
        address = "/bigdata/productInfos" + ("/delete" if what == "delete" else "")
        named = {name: row[name] for name in ("jobId", "productId", "domain", "enterpriseId", "infoType")}
        body = {"productInfos": [named if what == "delete" else by_hand(row, what, to)]}
        for _ in range(50):  # a fault for other calls may affect this call too
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
    """Replaces the model's queue of outcomes (`Wire.fates`). Each added outcome sets a fault at the sandbox.

    A fault that no call has used stays set, and affects the next call of any process.
    """

    wire: Wire

    def extend(self, fates) -> None:
        for fate in fates:
            self.wire.show(fate)

    def clear(self) -> None:
        """Does nothing, because only `heal` removes faults."""

    def __iter__(self):
        return iter(())
