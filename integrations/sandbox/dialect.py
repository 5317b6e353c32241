"""Translates between the desk's messages under a profile and the sandbox's own names.

See contract 7.1 and `sandbox --profile FILE`.

`decoded_request` translates requests to the names in this folder. `encoded_answer` translates responses to the
profile's format. Values that a partner with this profile would reject are refused. If the profile has other names and
values than the defaults, our defaults are refused too.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from integrations.bboss.sample_envelope import time_as_text
from integrations.partners.calls import ours, rename_paths, renamed
from integrations.partners.member_rules import ABSENT, ANY, BOUND, NOT_THERE, Rule, member
from integrations.partners.profile import CONSTANTS, Bpm, Callback, Profile
from integrations.partners.profile_requirements import filled
from integrations.sandbox.http_messages import SandboxRequest, SandboxResponse, compact, json_response
from integrations.sandbox.validation import Refusal, choice_of

CALLS = {
    "/bigdata/productInfos": "post",
    "/bigdata/productInfos/delete": "delete",
    "/bigdata/productInfos/query": "query",
    "/bigdata/trialFlow/query": "traffic",
    "/bpm/flows/start": "start",
}
PLAIN = "plain"  # marks a response that is not wrapped this time
USUAL = Bpm()
TIMES = ("businessStartTime", "createDate", "create_time")
RECORD_ID, CODE, PROCESS = "recordId", "code", "process"


class Dialect:
    """A profile with each `${NAME}` replaced from `environment`. If a name is not set, raises ProfileError."""

    def __init__(self, profile: Profile, environment: Mapping[str, str]) -> None:
        self.profile = profile
        self._addresses = {self._address(path, environment): path for path in CALLS}
        self._headers = {
            partner: {name: filled(value, environment) for name, value in getattr(profile, partner).headers.items()}
            for partner in ("bigdata", "bpm")
        }

    def _address(self, path: str, environment: Mapping[str, str]) -> str:
        partner, how = self._partner(path), self._call(path)
        theirs = filled(how.path, environment)
        return urlsplit(theirs if "://" in theirs else f"/{partner}{theirs}").path if theirs else ""

    def _partner(self, path: str) -> str:
        return path.split("/")[1]

    def _call(self, path: str) -> Any:
        return getattr(getattr(self.profile, self._partner(path)), CALLS[path])

    def path_of(self, address: str) -> str:
        """Returns the sandbox's own path of an address. For a default path that the profile replaces, returns "". Other
        addresses are returned unchanged."""
        return self._addresses.get(address, "" if address in CALLS else address)

    def request(self, path: str, headers: Mapping[str, str], body: bytes) -> SandboxRequest:
        """Returns the call as received. If there is no key header and the profile has rules for repeated calls, the key
        is a hash of the bytes. Without such rules the key is ""."""
        how, key = getattr(self.profile, self._partner(path), USUAL), ""
        wanted = self._headers.get(self._partner(path), {})
        wrong = next((name for name, value in wanted.items() if headers.get(name) != value), "")
        if how.key_header:
            key = headers.get(how.key_header, "")
        elif path in CALLS and self._call(path).answer.repeated:
            key = hashlib.sha256(path.encode() + body).hexdigest()
        return SandboxRequest(path, key, headers.get("X-Request-Id", ""), body, bool(how.key_header), wrong)

    def decoded_request(self, path: str, body: dict) -> dict:
        """Returns the body under our names. Raises Refusal."""
        if path not in CALLS:
            return body
        if self._partner(path) == "bpm":
            return self._flow(body)
        names = self.profile.bigdata.rename
        if not names or CALLS[path] == "query":
            return _ours(body, names)
        records = body.get("productInfos")
        rows = [_ours(row, names) if isinstance(row, dict) else row for row in records or []]
        return body | {"productInfos": rows} if isinstance(records, list) else body

    def _flow(self, body: dict) -> dict:
        how = self.profile.bpm
        for our in how.rename.keys() - {*how.rename.values()}:
            if member(body, tuple(our.split("."))) is not NOT_THERE:
                raise Refusal(our, "未知字段")
        rename_paths(body, {theirs: our for our, theirs in how.rename.items()})
        for way in (theirs.split(".")[:-1] for theirs in how.rename.values()):
            if way and member(body, tuple(way)) == {}:
                del member(body, tuple(way[:-1]))[way[-1]]  # type: ignore[attr-defined]
        data = body.get("data")
        if "flowKey" in body and isinstance(data, dict):
            inner = next(iter(data.values()), None)
            province = inner.get("province") if isinstance(inner, dict) else None
            flow = how.flow_by_attribution.get(str(province), how.flow)
            choice_of(flow)("flowKey", body["flowKey"])
            body |= {"flowKey": USUAL.flow, "data": _ours(data, {f"{USUAL.flow}dx": f"{flow}dx"})}
            data = inner
        elif "processType" in body:
            choice_of(how.process_type)("processType", body["processType"])
            body |= {"processType": USUAL.process_type}
        for holder in (body, data):
            if isinstance(holder, dict):
                self._as_default(holder)
        return body

    def _as_default(self, holder: dict) -> None:
        """Changes `holder`: replaces the profile's constants and times by those of the default profile. Raises Refusal
        for other values."""
        how = self.profile.bpm
        for name in holder.keys() & CONSTANTS.keys():
            choice_of(how.constants[name])(name, holder[name])
            holder[name] = CONSTANTS[name]
        for name in holder.keys() & {*TIMES} if how.time_format != USUAL.time_format else ():
            try:
                moment = datetime.strptime(holder[name], how.time_format)
            except (TypeError, ValueError):
                raise Refusal(name, f"不是 {how.time_format} 格式的有效时间") from None
            holder[name] = moment.strftime(USUAL.time_format)

    def encoded_answer(self, path: str, answer: dict, *, status: int = 200, repeated: bool = False) -> SandboxResponse:
        """Returns the response `{"code", "message"[, "result"]}` in the profile's format."""
        if path not in CALLS or (status != 200 and not self._call(path).answer.repeated):
            return json_response(answer, status)
        own, how = self._call(path), getattr(self.profile, self._partner(path))
        rows, rules = answer.get("result"), own.answer.success if answer["code"] == 200 else own.answer.refused
        rules = own.answer.repeated if repeated and own.answer.repeated else rules
        rules = getattr(own, "none", ()) if rows == [] and getattr(own, "none", ()) else rules
        body: dict[str, Any] = {}
        status = _fill(body, rules[0], answer["code"]) if rules else 200
        if status == 204:
            return SandboxResponse(204)
        if own.answer.message:
            _put(body, own.answer.message[0], answer["message"], over=False)
        if isinstance(rows, list):
            _put(body, own.rows, [renamed(row, how.rename) for row in rows])
        elif isinstance(rows, dict) and own.answer.process:
            _put(body, own.answer.process[0], rows["processId"])
        for name in reversed(() if answer.get(PLAIN) else own.answer.unwrap):
            outer: dict[str, Any] = {}
            _put(outer, name, compact(body))
            body = outer
        kind = "application/json" + ("; charset=utf-8" if how.charset == USUAL.charset else "")
        return SandboxResponse(status, compact(body).encode(how.charset), content_type=kind)


def _ours(members: dict, names: Mapping[str, str]) -> dict:
    for name in names.keys() - {*names.values()} & members.keys():
        raise Refusal(name, "未知字段")
    return ours(members, names)


def _fill(body: dict, rule: Rule, code: object) -> int:
    """Changes `body` so that the rule matches `body`. Returns the HTTP status in the rule, or 200."""
    status = 200
    for path, values in rule.members:
        value = _example_value(values[0], code)
        if path == ("status",):
            status = int(str(value))
        elif value != ABSENT and path != ("empty",):
            _put(body, ".".join(path), value)
    return status


def _example_value(value: object, code: object) -> object:
    if value == ANY and isinstance(value, str):
        return code
    bound = BOUND.fullmatch(value) if isinstance(value, str) else None
    return int(float(bound[2])) + {">": 1, "<": -1}.get(bound[1], 0) if bound else value


def _put(body: dict, path: str, value: object, *, over: bool = True) -> None:
    *way, last = path.split(".")
    for name in way:
        body = body.setdefault(name, {})
    body[last] = value if over else body.get(last, value)


def callback(how: Callback, said: dict, *, process: str, moment: datetime) -> tuple[dict, bytes, dict[str, str]]:
    """Returns (members, body, headers) of a callback in the profile's format. The headers authenticate it."""
    values: dict[str, tuple] = {"pass": how.passes, "reject": how.rejects, "return": how.returns}
    finished = how.finished if said["finished"] else how.unfinished
    sent: dict[str, Any] = said | {
        "result": (*values[said["result"]], said["result"])[0],
        "time": time_as_text(moment, how.time_formats[0]),
        "finished": (*finished, said["finished"])[0],
    }
    if how.finished_absent is not None and how.finished_absent == said["finished"]:
        del sent["finished"]
    if how.record_id_absent == "hash":
        del sent[RECORD_ID]
    if how.identifies == PROCESS:
        sent = {PROCESS if name == CODE else name: process if name == CODE else one for name, one in sent.items()}
    taken = [(theirs, sent.pop(our)) for theirs, our in how.rename.items() if our in sent]
    for theirs, value in taken:
        _put(sent, theirs, value)
    body, secret = compact(sent).encode(), settings.BPM_CALLBACK_SECRET
    proofs = {"hmac": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), "token": secret}
    return sent, body, {how.header: proofs[how.check]} if how.check in proofs else {}


def address_of(site: str, how: Callback) -> str:
    """Returns the URL to which BPM posts callbacks for a desk at `site`."""
    return site + (*how.paths, "/api/bpm/approvals")[0]
