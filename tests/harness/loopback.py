"""A server on the loopback interface. A test determines each byte of the response."""

import contextlib
import socket
import threading
from typing import Self


class LoopbackServer:
    """`with Server() as server:` listens on `server.port`. A subclass's `talk` handles each connection in a thread.

    An error of a connection, such as a broken pipe, ends only that connection.
    """

    port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server. After `stop()` it gets the same port again."""
        self.stopped = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        raise NotImplementedError
