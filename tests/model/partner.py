"""Simulates the partners: calls the sandbox's rules directly, and adds faults on the way.

`Wire.exchange` replaces `integrations.outbound.http_client._exchange`. All code above that function is real.
"""

import dataclasses
import datetime
import json
import re
from collections import deque
from urllib.parse import urlsplit

from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.wire_formats import WIRE_FORMAT, encode
from integrations.sandbox.faults import FAULT_KINDS, Fault
from integrations.sandbox.http_messages import SandboxRequest, SandboxResponse, json_response
from integrations.sandbox.partners import Partners
from orders.rules.local_time import SHANGHAI

FATES = {
    "ok": "carried out and answered",
    "refuse": "refused for good",
    "lost": "carried out, but the answer is lost",
    "broken": "not carried out, and the connection breaks",
    "500": "HTTP 500",
    "429": "HTTP 429, not carried out",
    "garbage": "an answer that is no JSON",
    "silent": "no connection at all",
    "409": "it says that it acted on this key before",
    "before": "it did act on this key before, with other bytes",
    "late": "no answer in time, and carried out some minutes later, whatever its repeat was answered",
    "odd": "carried out, and answered in words that no rule reads",
    "odd no": "not carried out, and answered in words that no rule reads",
    "again": "carried out, and answered in such words that it was done before",
    "later": "carried out, and answered that it will be done later",
}
FAULTS = {"refuse": "refusal", "lost": "reset_after", "broken": "reset"}  # other fates: the sandbox's names
# A late call acts before the desk looks again after ten minutes (contract 3.9, Unknown).
LATE_BY = datetime.timedelta(seconds=400)
POST, DELETE, START = "/bigdata/productInfos", "/bigdata/productInfos/delete", "/bpm/flows/start"
ACTS = (POST, DELETE, START)  # no other call changes anything
KINDS_OF_CALLS = {"1": "live", "2": "cancel"}
SAID = {"odd": {"state": "DONE"}, "odd no": {"state": "NO"}, "again": {"state": "AGAIN"}, "later": {"code": 503}}
RULES = """
[bigdata.answer]
success = [{ code = [200] }, { state = ["DONE"] }]
refused = [{ code = ["*"] }, { state = ["NO"] }]
repeated = [{ state = ["AGAIN"] }]
[bpm.answer]
success = [{ code = [200, 0] }, { state = ["DONE"] }]
refused = [{ code = ["*"] }, { state = ["NO"] }]
repeated = [{ state = ["AGAIN"] }]
"""  # rules of a profile that reads the answers in SAID, and code 0 of BPM as success
SUCCESS = re.compile(rb'\{"(code":(200|0)[,}]|state":"DONE")')
PROVES = {"live": "create", "cancel": "cancel", "start": "start"}  # by kind of call: what its success proves


@dataclasses.dataclass
class Wire:
    """The network between the desk and the partners.

    `fates` has the outcomes of the next calls, which are keys of FATES. Later calls succeed, except those whose (kind,
    domain) is in `refused`. With `stubborn`, a partner repeats its first answer to a key forever. With `forgetful`,
    BPM ignores keys, so each call starts a process. With `zero`, BPM reports success by `code` 0. `told` has the kinds
    of calls that have ever succeeded.
    """

    partners: Partners = dataclasses.field(default_factory=Partners)
    fates: deque[str] = dataclasses.field(default_factory=deque)
    stalled: list[tuple[datetime.datetime, SandboxRequest]] = dataclasses.field(default_factory=list)
    refused: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    reused: int = 0  # number of keys used with other bytes on purpose
    stubborn: bool = False
    forgetful: bool = False
    zero: bool = False
    firsts: dict[str, SandboxResponse] = dataclasses.field(default_factory=dict)
    told: set[str] = dataclasses.field(default_factory=set)
    starts: int = 0

    def reset(self) -> None:
        """Removes all data, faults and properties."""
        self.partners.reset()
        self.heal()
        self.stalled.clear()
        self.firsts.clear()
        self.told.clear()
        self.reused = self.starts = 0
        self.stubborn = self.forgetful = self.zero = False

    def heal(self) -> None:
        """Removes all faults, so that all later calls succeed."""
        self.fates.clear()
        self.refused.clear()
        self.partners.faults.clear()

    def be_strict(self, strict: bool) -> None:
        """Sets whether big data refuses to cancel a record that it does not have."""
        self.partners.strict = strict

    def exchange(self, request, timeout: float, most: int) -> tuple[int, dict, bytes]:
        """Makes a call. Returns (status, headers, body). Raises PartnerError."""
        headers = request.headers
        path = urlsplit(request.url).path
        if request.method == "HEAD":
            return 404, {}, b""
        call = SandboxRequest(path, headers.get("Idempotency-Key", ""), headers["X-Request-Id"], request.body)
        answer = self._as_at_first(call, self.fates.popleft() if self.fates else "ok")
        if answer.manner == "reset":
            raise PartnerError("the connection broke", code="broken", unknown=True, transport=True)
        return answer.status, answer.headers, answer.body

    def _as_at_first(self, call: SandboxRequest, fate: str) -> SandboxResponse:
        """Returns the partner's answer to a call. A stubborn partner repeats its first answer.

        Adds the kind of a successful call to `told`.
        """
        acts = call.path in ACTS
        first = self.firsts.get(call.key + call.digest) if self.stubborn and acts else None
        if first is None:
            started = call.path == START
            answer = first = self.answer(self._under_own_key(call) if started and self.forgetful else call, fate)
            if started and self.zero and answer.status == 200 and b'"code":200' in answer.body:
                first = dataclasses.replace(answer, body=answer.body.replace(b'"code":200', b'"code":0'))
            if acts and first.status == 200:
                self.firsts[call.key + call.digest] = first
        if acts and SUCCESS.match(first.body):
            kinds = {"start"} if call.path == START else {kind for kind, _ in what_it_does(call)}
            self.told |= {PROVES[kind] for kind in kinds & PROVES.keys()}
        return first

    def _under_own_key(self, call: SandboxRequest) -> SandboxRequest:
        """Returns the call under a new key, because a forgetful BPM ignores keys."""
        self.starts += 1
        return dataclasses.replace(call, key=f"{call.key}-{self.starts}")

    def answer(self, call: SandboxRequest, fate: str) -> SandboxResponse:
        """Returns the partner's answer to a call with the outcome `fate`, a key of FATES.

        Raises PartnerError without an answer.
        """
        if fate == "silent":
            raise PartnerError("no connection", code="refused", transport=True)
        if fate == "late":
            if call.path in ACTS:
                self.stalled.append((datetime.datetime.now(SHANGHAI) + LATE_BY, call))
            raise PartnerError("no complete answer in time", code="timeout", unknown=True, transport=True)
        if fate == "ok" and self.refused & what_it_does(call):
            fate = "refuse"
        if fate == "409" and "409" not in FAULT_KINDS:
            return json_response({"code": 409, "message": "沙箱故障"}, 409)
        if fate in SAID:
            return self.say(call, fate)
        if fate == "before":
            self.act_before(call)
        elif fate != "ok":
            self.partners.faults.add(Fault(path="*", kind=FAULTS.get(fate, fate)))
        return self.partners.answer(call)

    def say(self, call: SandboxRequest, fate: str) -> SandboxResponse:
        """Returns an answer that only a profile with RULES understands. Returns a refusal of the sandbox unchanged."""
        if fate == "odd no":
            return json_response(SAID[fate])
        answer = self.partners.answer(call)
        body = json.loads(answer.body)
        return json_response(SAID[fate] | {"result": body.get("result")}) if body.get("code", 200) == 200 else answer

    def act_before(self, call: SandboxRequest) -> None:
        """Makes the partner act on the call's key with other bytes, as if that had happened before a restore.

        After that the partner refuses the call's own bytes under this key. Late calls under the key are dropped too.
        """
        self.stalled = [(at, late) for at, late in self.stalled if late.key != call.key]
        body = _an_hour_earlier(json.loads(call.body))
        self.reused += 1
        self.partners.answer(dataclasses.replace(call, body=encode(body).encode()))

    def meddle(self, row: dict, what: str, to: str = "") -> None:
        """Changes a billing record at the big-data side manually (`by_hand`).

        If `what` is `delete`, deletes the record.
        """
        with self.partners.store.transaction():
            if what == "delete":
                self.partners.store.delete_record(row)
                return
            self.partners.store.put_record(by_hand(row, what, to))

    def carry_out_stalled(self, *, now: datetime.datetime | None = None) -> int:
        """Carries out the stalled calls that are due at `now`, by default all. Returns their number."""
        ripe = [pair for pair in self.stalled if now is None or pair[0] <= now]
        for pair in ripe:
            self.stalled.remove(pair)
            if pair[1].path == START:
                self.partners.answer(pair[1])  # a known key starts no second process
            else:
                self.partners.land_late(pair[1])
        return len(ripe)


def what_it_does(call: SandboxRequest) -> set[tuple[str, str]]:
    """Returns (kind, domain) of each entry of a billing call. The kind is `live`, `cancel` or `delete`."""
    if call.path not in {POST, DELETE}:
        return set()
    entries = json.loads(call.body)["productInfos"]
    return {(KINDS_OF_CALLS.get(row.get("cancelStatus"), "delete"), row["domain"].lower()) for row in entries}


def by_hand(row: dict, what: str, to: str = "") -> dict:
    """Returns a copy of a record as if a person at the partner had changed it.

    `what` is `live` (made live), `cancel` (cancelled), `times` (created an hour earlier), or `end` or `start` (moved
    to `to`, a time in the wire's format).
    """
    changes = {
        "live": {"cancelStatus": "1"},
        "cancel": {"cancelStatus": "2"},
        "times": {"createTime": _earlier("createTime", row["createTime"])},
        "end": {"cancelTime": to},
        "start": {"createTime": to},
    }
    return row | changes[what]


def _an_hour_earlier(value):
    """Returns the body of a call with all creation times an hour earlier."""
    if isinstance(value, dict):
        return {name: _earlier(name, inner) for name, inner in value.items()}
    return [_an_hour_earlier(inner) for inner in value] if isinstance(value, list) else value


def _earlier(name: str, value):
    if name not in {"createTime", "create_time", "createDate"}:
        return _an_hour_earlier(value)
    form = WIRE_FORMAT if value.isdigit() else "%Y-%m-%d %H:%M:%S"
    return (datetime.datetime.strptime(value, form) - datetime.timedelta(hours=1)).strftime(form)
