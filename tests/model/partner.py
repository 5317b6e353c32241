"""The partners at the other end of the wire: the sandbox's rules, called directly, and faults on the way.

`Wire.exchange` replaces `integrations.outbound.http_client._exchange`; everything above it is real.
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
FAULTS = {"refuse": "refusal", "lost": "reset_after", "broken": "reset"}  # the others have the sandbox's names
LATE_BY = datetime.timedelta(seconds=400)  # contract 3.9, Unknown: the desk looks again after ten minutes
POST, DELETE, START = "/bigdata/productInfos", "/bigdata/productInfos/delete", "/bpm/flows/start"
ACTS = (POST, DELETE, START)  # all other calls change nothing
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
"""  # of a profile that reads these words, and a BPM that says success with 0
SUCCESS = re.compile(rb'\{"(code":(200|0)[,}]|state":"DONE")')
PROVES = {"live": "create", "cancel": "cancel", "start": "start"}  # what a success of such a call may prove


@dataclasses.dataclass
class Wire:
    """The wire between the desk and the partners. `fates` of the next calls; later calls go well, but for those that
    `refused` names as (kind, domain).

    `stubborn`: a partner gives its first answer under a key again for ever. `forgetful`: BPM knows no keys, each call
    starts a process. `zero`: BPM says success with `code` 0. `told`: what it has ever called a success."""

    partners: Partners = dataclasses.field(default_factory=Partners)
    fates: deque[str] = dataclasses.field(default_factory=deque)
    stalled: list[tuple[datetime.datetime, SandboxRequest]] = dataclasses.field(default_factory=list)
    refused: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    reused: int = 0  # keys that were used with other bytes on purpose
    stubborn: bool = False
    forgetful: bool = False
    zero: bool = False
    firsts: dict[str, SandboxResponse] = dataclasses.field(default_factory=dict)
    told: set[str] = dataclasses.field(default_factory=set)
    starts: int = 0

    def reset(self) -> None:
        """Empty and healthy."""
        self.partners.reset()
        self.heal()
        self.stalled.clear()
        self.firsts.clear()
        self.told.clear()
        self.reused = self.starts = 0
        self.stubborn = self.forgetful = self.zero = False

    def heal(self) -> None:
        """From now on all calls go well."""
        self.fates.clear()
        self.refused.clear()
        self.partners.faults.clear()

    def be_strict(self, strict: bool) -> None:
        """Whether big data refuses to cancel a record that it does not hold."""
        self.partners.strict = strict

    def exchange(self, request, timeout: float, most: int) -> tuple[int, dict, bytes]:
        """One call: (status, headers, body), or PartnerError."""
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
        """What the partner answers, or did at first; and notes whether it calls that a success."""
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
        """A call as a BPM sees it that knows no keys."""
        self.starts += 1
        return dataclasses.replace(call, key=f"{call.key}-{self.starts}")

    def answer(self, call: SandboxRequest, fate: str) -> SandboxResponse:
        """What the partner answers if the call meets this fate."""
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
        """An answer in words of its own. What it refuses by itself it refuses as always."""
        if fate == "odd no":
            return json_response(SAID[fate])
        answer = self.partners.answer(call)
        body = json.loads(answer.body)
        return json_response(SAID[fate] | {"result": body.get("result")}) if body.get("code", 200) == 200 else answer

    def act_before(self, call: SandboxRequest) -> None:
        """The partner has acted on this key earlier; a restore has made the desk forget it. So it carries out no other
        bytes under this key, late ones neither."""
        self.stalled = [(at, late) for at, late in self.stalled if late.key != call.key]
        body = _an_hour_earlier(json.loads(call.body))
        self.reused += 1
        self.partners.answer(dataclasses.replace(call, body=encode(body).encode()))

    def meddle(self, row: dict, what: str, to: str = "") -> None:
        """Somebody at the big-data side changes a billing record by hand (`by_hand`), or removes it: `delete`."""
        with self.partners.store.transaction():
            if what == "delete":
                self.partners.store.delete_record(row)
                return
            self.partners.store.put_record(by_hand(row, what, to))

    def carry_out_stalled(self, *, now: datetime.datetime | None = None) -> int:
        """Carries out stalled calls: all, or those that have waited long enough by `now`. Returns how many."""
        ripe = [pair for pair in self.stalled if now is None or pair[0] <= now]
        for pair in ripe:
            self.stalled.remove(pair)
            if pair[1].path == START:
                self.partners.answer(pair[1])  # BPM starts no second process under a key
            else:
                self.partners.land_late(pair[1])
        return len(ripe)


def what_it_does(call: SandboxRequest) -> set[tuple[str, str]]:
    """The (kind, domain) of each entry of a billing call: `live`, `cancel` or `delete`."""
    if call.path not in {POST, DELETE}:
        return set()
    entries = json.loads(call.body)["productInfos"]
    return {(KINDS_OF_CALLS.get(row.get("cancelStatus"), "delete"), row["domain"].lower()) for row in entries}


def by_hand(row: dict, what: str, to: str = "") -> dict:
    """A billing record after somebody made it `live`, cancelled it (`cancel`), changed its `times`, or moved its `end`
    or `start` to the wire's time `to`."""
    changes = {
        "live": {"cancelStatus": "1"},
        "cancel": {"cancelStatus": "2"},
        "times": {"createTime": _earlier("createTime", row["createTime"])},
        "end": {"cancelTime": to},
        "start": {"createTime": to},
    }
    return row | changes[what]


def _an_hour_earlier(value):
    """The same message with its times an hour back."""
    if isinstance(value, dict):
        return {name: _earlier(name, inner) for name, inner in value.items()}
    return [_an_hour_earlier(inner) for inner in value] if isinstance(value, list) else value


def _earlier(name: str, value):
    if name not in {"createTime", "create_time", "createDate"}:
        return _an_hour_earlier(value)
    form = WIRE_FORMAT if value.isdigit() else "%Y-%m-%d %H:%M:%S"
    return (datetime.datetime.strptime(value, form) - datetime.timedelta(hours=1)).strftime(form)
