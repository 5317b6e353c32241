"""Responds to calls to partners: checks the key, applies a fault, carries the call out and records it."""

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from integrations.partners.profile import Profile
from integrations.sandbox import bigdata, bpm
from integrations.sandbox.dialect import Dialect
from integrations.sandbox.faults import HTTP_ERRORS, Fault, Faults
from integrations.sandbox.http_messages import SandboxRequest, SandboxResponse, json_response
from integrations.sandbox.store import Store
from integrations.sandbox.validation import Refusal, parse_body

Effect = Callable[[Store, SandboxRequest, dict], dict]
ROUTES: dict[str, Effect] = {
    "/bigdata/productInfos": bigdata.put,
    "/bigdata/productInfos/delete": bigdata.delete,
    "/bigdata/productInfos/query": bigdata.query,
    "/bigdata/trialFlow/query": bigdata.trial_flow,
    "/bpm/flows/start": bpm.start,
}
PATHS = tuple(ROUTES)
STRICT = {bigdata.put: bigdata.put_strictly}  # replacements for a strict partner
LOOK_UPS = (bigdata.query, bigdata.trial_flow)
"""Calls that change nothing. A repeated look-up gets a new response from the current state, not the stored response."""
CALLBACK = "http://127.0.0.1:8000/api/bpm/approvals"
RESET = SandboxResponse(0, manner="reset")
OTHER_BYTES = {"code": 409, "message": "同一个 Idempotency-Key 已执行过，内容不同"}


class Partners:
    """BPM and big data together: their data, faults and delay, in the format of a profile (contract 7.1).

    `callback` is the desk's address for approvals. If `strict`, big data refuses to cancel a record that it does not
    have. Otherwise big data creates a cancelled record. `notice` is the next message on the page: (True for a success,
    text).
    """

    def __init__(self, state_file: str | None = None, callback: str = CALLBACK, profile: Profile | None = None) -> None:
        self.dialect = Dialect(profile or Profile(), os.environ)
        self.store = Store(state_file or ":memory:")
        self.faults = Faults()
        self.delay = 0.0
        self.strict = False
        self.callback = callback
        self.notice: tuple[bool, str] | None = None
        self._given_up = threading.Event()

    def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> SandboxResponse | None:
        """Returns the response to a call as received, or None for an address that no partner has."""
        path = self.dialect.path_of(address)
        return self.answer(self.dialect.request(path, headers, body)) if path in ROUTES else None

    def answer(self, call: SandboxRequest) -> SandboxResponse:
        began = time.perf_counter()
        number = self.store.arrive(call)
        if call.key and call.keyed:
            self.store.note_key(call)
        fault = self.faults.next_fault(call.path)
        answer = self._answer(call, fault)
        self.store.settle(number, answer, fault=fault and fault.kind, took=time.perf_counter() - began)
        return answer

    def _answer(self, call: SandboxRequest, fault: Fault | None) -> SandboxResponse:
        wait = self.delay + (fault.seconds if fault and fault.kind == "slow" else 0)
        if wait and self._given_up.wait(wait):
            return RESET  # the sandbox was reset or stopped meanwhile, so this call belongs to the old state
        if fault and not fault.acts:
            return self._fault_answer(call, fault)
        answer = self._act(call)
        if fault and fault.kind == "reset_after":
            return RESET
        if fault and fault.kind == "slow_drip":
            return replace(answer, manner="drip", seconds=fault.seconds)
        return answer

    def _act(self, call: SandboxRequest) -> SandboxResponse:
        if call.wrong:
            return json_response({"code": 401, "message": f"缺少请求头 {call.wrong}，或其值不对"}, status=401)
        if call.keyed and not call.key:
            return json_response({"code": 400, "message": "缺少请求头 Idempotency-Key"}, status=400)
        with self.store.transaction():
            return self._act_once(call)

    def _act_once(self, call: SandboxRequest) -> SandboxResponse:
        """Carries out a call once per key, and returns its response. A repeated call gets the stored response.

        If the key was already carried out with other bytes, the response is 409, or the profile's response to repeated
        calls.
        """
        effect, say = self._effect(call), functools.partial(self.dialect.encoded_answer, call.path)
        if known := self.store.stored_answer(call.key):
            digest, answer = known
            acted = answer.get("code", 200) == 200
            if digest != call.digest and acted:
                return say(OTHER_BYTES, status=409, repeated=True)
            if digest == call.digest:
                self.store.count("repeats")
                if effect not in LOOK_UPS:
                    return say(answer, repeated=acted)
        return say(self._carry_out(effect, call))

    def land_late(self, call: SandboxRequest) -> None:
        """Carries out a call that was delayed for minutes, even if its key was answered in the meantime."""
        with self.store.transaction():
            self._carry_out(self._effect(call), call)

    def _effect(self, call: SandboxRequest) -> Effect:
        effect = ROUTES[call.path]
        return STRICT.get(effect, effect) if self.strict else effect

    def _carry_out(self, effect: Effect, call: SandboxRequest) -> dict:
        try:
            answer = effect(self.store, call, self.dialect.decoded_request(call.path, parse_body(call.body)))
        except Refusal as refusal:
            answer = {"code": 400, "message": str(refusal)}
        if call.key:
            self.store.keep_answer(call, answer)
        return answer

    def reset(self) -> None:
        """Deletes all data. Resets delayed connections without carrying out their calls. Removes faults, delay and
        strictness."""
        waiting, self._given_up = self._given_up, threading.Event()
        waiting.set()
        self.faults.clear()
        self.delay = 0.0
        self.strict = False
        self.store.reset()

    def close(self) -> None:
        self._given_up.set()
        self.store.close()

    def _fault_answer(self, call: SandboxRequest, fault: Fault) -> SandboxResponse:
        if fault.kind in HTTP_ERRORS:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return json_response({"code": int(fault.kind), "message": "沙箱故障"}, int(fault.kind), **headers)
        if fault.kind == "reset":
            return RESET
        if fault.kind == "garbage":
            return SandboxResponse(200, '<html>网关错误 {"code": 200'.encode(), content_type="text/html; charset=utf-8")
        return self.dialect.encoded_answer(call.path, {"code": fault.code, "message": fault.message})
