"""The simulated partners (the sandbox) inside the test process, whose state tests can read directly. Calls reach them
without a connection (`reached_directly`), or by real HTTP on a free port if HTTP is the subject.
"""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from typing import Self
from unittest import mock
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from integrations.outbound import http_client
from integrations.outbound.failure_classification import connection_error
from integrations.outbound.total_timeout import TimedCall
from integrations.partners.profile import Profile
from integrations.sandbox.faults import parse_fault
from integrations.sandbox.partners import PATHS, Partners
from integrations.sandbox.server import SandboxServer

NOWHERE = "http://partners.test"


class Sandbox:
    """The simulated partners at an address, and what tests do with them."""

    def __init__(self, url: str, partners: Partners) -> None:
        self.url, self.partners = url, partners
        self.bigdata_url = f"{self.url}/bigdata"
        self.bpm_url = f"{self.url}/bpm"

    def state(self) -> dict:
        """Returns the records, processes, flows, calls, counts and violations."""
        return self.partners.store.state()

    def calls(self, path: str | None = None, order: str | None = None) -> list[dict]:
        """Returns the calls so far, oldest first: at, took, path, key, request_id, digest, body, status, answer,
        fault.
        """
        return self.partners.store.calls(path=path, order=order)

    def fault(self, path: str = "*", kind: str = "500", count: int = 1, **more: object) -> None:
        """Makes the next `count` answers of `path` (`/bigdata/productInfos`, `/bpm/flows/start`, ...) show the fault
        `kind`.
        """
        self.partners.faults.add(parse_fault({"path": path, "kind": kind, "count": count, **more}, PATHS))

    def flow(self, job: str, dataflow: float, *, plain: bool = False) -> None:
        """Sets a trial's traffic."""
        self.partners.store.set_flow(job, dataflow, plain=plain)

    def delay(self, seconds: float) -> None:
        """Makes every answer of the partners take `seconds`."""
        self.partners.delay = seconds

    def reset(self) -> None:
        """Removes all records, processes and calls, and also faults and the delay."""
        self.partners.reset()


@contextlib.contextmanager
def reached_directly() -> Iterator[Sandbox]:
    """Yields a sandbox that answers calls to its address in the caller's thread. Calls to other addresses are sent."""
    sandbox, by_http = Sandbox(NOWHERE, Partners()), http_client._exchange

    def exchange(request: PreparedRequest, timeout: float, most: int) -> tuple[int, CaseInsensitiveDict, bytes]:
        if not request.url.startswith(NOWHERE):
            return by_http(request, timeout, most)
        call = TimedCall(timeout)
        call.sent = True
        answer = sandbox.partners.receive(urlsplit(request.url).path, request.headers, request.body)
        if answer.manner == "reset" or call.overdue:
            raise connection_error(call, ConnectionResetError("reset by the partner"))
        return answer.status, CaseInsensitiveDict(answer.headers), answer.body[: most + 1]

    with mock.patch.object(http_client, "_exchange", exchange):
        yield sandbox
    sandbox.partners.close()


class RunningSandbox(Sandbox):
    """Serves the sandbox over HTTP in a thread until the block ends: `with RunningSandbox() as sandbox:`."""

    def __init__(
        self, state_file: str | None = None, tls: ssl.SSLContext | None = None, profile: Profile | None = None
    ) -> None:
        partners = Partners(state_file, profile=profile)
        self._server = SandboxServer("127.0.0.1", 0, partners, tls)
        super().__init__(self._server.url, partners)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.partners.close()
