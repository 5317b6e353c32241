"""The partners' stand-in inside the test process: real HTTP on a free port; tests look at it directly."""

import ssl
import threading
from typing import Self

from integrations.sandbox.faults import parse_fault
from integrations.sandbox.partners import PATHS, Partners
from integrations.sandbox.server import SandboxServer


class RunningSandbox:
    """`with RunningSandbox() as sandbox:` serves in a thread until the block ends."""

    def __init__(self, state_file: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.partners = Partners(state_file)
        self._server = SandboxServer("127.0.0.1", 0, self.partners, tls)
        self.url = self._server.url
        self.bigdata_url = f"{self.url}/bigdata"
        self.bpm_url = f"{self.url}/bpm"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.partners.close()

    def state(self) -> dict:
        """The records, processes, flows, calls, counts and violations."""
        return self.partners.store.state()

    def calls(self, path: str | None = None, order: str | None = None) -> list[dict]:
        """The calls so far, oldest first: at, took, path, key, request_id, digest, body, status, answer, fault."""
        return self.partners.store.calls(path=path, order=order)

    def fault(self, path: str = "*", kind: str = "500", count: int = 1, **more: object) -> None:
        """The next `count` answers of `path` (`/bigdata/productInfos`, `/bpm/flows/start`, ...) show `kind`."""
        self.partners.faults.add(parse_fault({"path": path, "kind": kind, "count": count, **more}, PATHS))

    def flow(self, job: str, dataflow: float, *, plain: bool = False) -> None:
        """Sets a trial's traffic."""
        self.partners.store.set_flow(job, dataflow, plain=plain)

    def delay(self, seconds: float) -> None:
        """Every partner answer takes that long."""
        self.partners.delay = seconds

    def reset(self) -> None:
        """Empties it, including faults and delay."""
        self.partners.reset()
