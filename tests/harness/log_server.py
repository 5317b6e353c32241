"""A syslog server in a thread. Like rsyslog it reads octet-counted messages until the sender closes the connection."""

import socket
import ssl
import time

from tests.harness.loopback import LoopbackServer


class LogServer(LoopbackServer):
    """`with LogServer(tls=context) as server:` listens on `server.port`. `messages` has the received messages.

    `mode` is one of:

    - "reads": reads everything;
    - "slow": reads 6,554 bytes every 0.1 seconds;
    - "closes": closes each connection at once;
    - "hangs": accepts the connection and reads nothing.

    `stop()` and `start()` make the server unavailable for a while, at the same port. With `says_so`, TLS ends with a
    close_notify, as RFC 5246 requires.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, says_so: bool = True):
        self.tls, self.says_so, self.mode = tls, says_so, "reads"
        self.messages: list[bytes] = []
        self.connections = 0

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        if self.mode == "hangs":
            self.stopped.wait()
        elif self.mode != "closes":
            with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as sock:
                self._read(sock)
                if self.tls and self.says_so:
                    sock.unwrap()

    def _read(self, sock: socket.socket) -> None:
        data = b""
        while part := sock.recv(6554 if self.mode == "slow" else 65536):
            data += part
            if self.mode == "slow":
                time.sleep(0.1)
        while data[:1].isdigit():
            length, _, rest = data.partition(b" ")
            self.messages.append(rest[: int(length)])
            data = rest[int(length) :]
