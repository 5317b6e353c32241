"""The partners at the other end of the wire: the sandbox's rules, called directly, and faults on the way.

`Wire.exchange` replaces `integrations.outbound.http._exchange`; everything above it is real.
"""

import dataclasses
import datetime
import json
from collections import deque
from urllib.parse import urlsplit

from integrations.outbound.formats import WIRE_FORMAT, encode
from integrations.outbound.http import PartnerError
from integrations.sandbox.faults import KINDS, Fault
from integrations.sandbox.http_messages import SandboxRequest, SandboxResponse, json_response
from integrations.sandbox.partners import Partners
from orders.local_time import SHANGHAI

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
    "stall": "no answer in time, and carried out some minutes later",
}
FAULTS = {"refuse": "refusal", "lost": "reset_after", "broken": "reset"}  # the others have the sandbox's names
STALLED_FOR = datetime.timedelta(minutes=5)  # contract 3.9, Unknown: the desk looks again after ten minutes


@dataclasses.dataclass
class Wire:
    """The wire between the desk and the partners. `fates` of the next calls; later calls go well."""

    partners: Partners = dataclasses.field(default_factory=Partners)
    fates: deque[str] = dataclasses.field(default_factory=deque)
    stalled: list[tuple[datetime.datetime, SandboxRequest]] = dataclasses.field(default_factory=list)
    reused: int = 0  # keys that were used with other bytes on purpose

    def reset(self) -> None:
        """Empty and healthy."""
        self.partners.reset()
        self.heal()
        self.stalled.clear()
        self.reused = 0

    def heal(self) -> None:
        """From now on all calls go well."""
        self.fates.clear()
        self.partners.faults.clear()

    def exchange(self, request, timeout: float, most: int) -> tuple[int, dict, bytes]:
        """One call: (status, headers, body), or PartnerError."""
        headers = request.headers
        path = urlsplit(request.url).path
        call = SandboxRequest(path, headers["Idempotency-Key"], headers["X-Request-Id"], request.body)
        answer = self.answer(call, self.fates.popleft() if self.fates else "ok")
        if answer.manner == "reset":
            raise PartnerError("the connection broke", code="broken", unknown=True, transport=True)
        return answer.status, answer.headers, answer.body

    def answer(self, call: SandboxRequest, fate: str) -> SandboxResponse:
        """What the partner answers if the call meets this fate."""
        if fate == "silent":
            raise PartnerError("no connection", code="refused", transport=True)
        if fate == "stall" and call.path == "/bigdata/productInfos" and b'"infoType":"2"' in call.body:
            self.stalled.append((datetime.datetime.now(SHANGHAI) + STALLED_FOR, call))
            raise PartnerError("no complete answer in time", code="timeout", unknown=True, transport=True)
        if fate == "stall":
            fate = "broken"
        if fate == "409" and "409" not in KINDS:
            return json_response({"code": 409, "message": "沙箱故障"}, 409)
        if fate == "before":
            self.act_before(call)
        elif fate != "ok":
            self.partners.faults.add(Fault(path="*", kind=FAULTS.get(fate, fate)))
        return self.partners.answer(call)

    def act_before(self, call: SandboxRequest) -> None:
        """The partner has acted on this key earlier; a restore has made the desk forget it."""
        body = _an_hour_earlier(json.loads(call.body))
        self.reused += 1
        self.partners.answer(dataclasses.replace(call, body=encode(body).encode()))

    def meddle(self, row: dict, what: str) -> None:
        """Somebody at the big-data side changes a billing record by hand: `delete`, `live`, `cancel` or `times`."""
        with self.partners.store.transaction():
            if what == "delete":
                self.partners.store.delete_record(row)
                return
            self.partners.store.put_record(by_hand(row, what))

    def carry_out_stalled(self, *, now: datetime.datetime | None = None) -> int:
        """Carries out stalled calls: all, or those that have waited long enough by `now`. Returns how many."""
        ripe = [pair for pair in self.stalled if now is None or pair[0] <= now]
        for pair in ripe:
            self.stalled.remove(pair)
            self.partners.answer(pair[1])
        return len(ripe)


def by_hand(row: dict, what: str) -> dict:
    """A billing record after somebody made it `live`, cancelled it or changed its `times`."""
    changed = row | {"live": {"cancelStatus": "1"}, "cancel": {"cancelStatus": "2"}}.get(what, {})
    if what == "times":
        changed["createTime"] = _earlier("createTime", row["createTime"])
    return changed


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
