"""A syslog server in a thread, as rsyslog is: it reads messages with counted octets until the sender ends."""

import contextlib
import socket
import ssl
import threading
import time


class LogServer:
    """`with LogServer(tls=context) as server:` listens on `server.port`; `messages` holds what it has read, as bytes.

    `mode`: "reads"; "slow" (64 KiB at most, in ten parts a second); "closes" at once; "hangs" (takes the connection and
    reads nothing). `stop()` and `start()`: dead for a while, at the same port. `says_so`: ends TLS as RFC 5246 wants.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, says_so: bool = True):
        self.tls, self.says_so, self.mode = tls, says_so, "reads"
        self.messages: list[bytes] = []
        self.connections, self.port = 0, 0
        self.listener: socket.socket | None = None
        self.held: list[socket.socket] = []

    def __enter__(self) -> "LogServer":
        self.start()
        return self

    def __exit__(self, *exc) -> None:
        self.stop()

    def start(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def stop(self) -> None:
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for sock in self.held:
            sock.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[sock], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        if self.mode == "hangs":
            self.held.append(sock)
            return
        with contextlib.suppress(OSError), sock:
            if self.mode == "closes":
                return
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with sock:
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
