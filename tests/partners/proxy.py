"""A small HTTP proxy on a real socket: it tunnels https with CONNECT and forwards http."""

import base64
import contextlib
import socket
import threading
from urllib.parse import quote, urlsplit

from tests.harness.loopback import LoopbackServer

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
WANTS_CREDENTIALS = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\n{}"


class Proxy(LoopbackServer):
    """`with Proxy(user, password) as proxy:` starts a proxy at `proxy.url` that demands this user and password.
    `heads` contains the heads of the requests."""

    def __init__(self, user: str, password: str):
        self.user, self.password = user, password
        self.heads: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{self.user}:{quote(self.password)}@127.0.0.1:{self.port}"

    def talk(self, caller: socket.socket) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            if not (part := caller.recv(65536)):
                return
            raw += part
        head, _, rest = raw.partition(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if f"Proxy-Authorization: Basic {credentials}" not in self.heads[-1]:
            caller.sendall(WANTS_CREDENTIALS)
            return
        method, target, version = self.heads[-1].split("\r\n")[0].split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as partner:
                caller.sendall(ESTABLISHED)
                self._relay(caller, partner)
        else:
            parts = urlsplit(target)
            with socket.create_connection((parts.hostname, parts.port), timeout=10) as partner:
                lines = [f"{method} {parts.path} {version}", *self.heads[-1].split("\r\n")[1:]]
                partner.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + rest)
                self._relay(caller, partner)

    def _relay(self, caller: socket.socket, partner: socket.socket) -> None:
        back = threading.Thread(target=_copy, args=(partner, caller), daemon=True)
        back.start()
        _copy(caller, partner)
        back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
