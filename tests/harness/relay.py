"""A TCP relay in front of a server. While it is frozen, packets are accepted and acknowledged but never answered."""

import contextlib
import selectors
import socket
import threading


class Relay:
    """`with Relay("127.0.0.1", 5432) as relay:` listens on `relay.port`.

    - `freeze()`: the kernel still accepts connections and acknowledges packets, but nothing is relayed. A server
      process after SIGSTOP behaves in the same way.
    - `thaw()`: relaying continues.
    - `cut()`: breaks all connections. New connections are accepted.
    - `close()`: stops listening and breaks all connections.
    - `taken`: the number of relayed connections.
    """

    def __init__(self, target_host: str, target_port: int):
        self.target = (target_host, target_port)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.taken = 0
        self._flows = threading.Event()
        self._flows.set()
        self._closed = False
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._flows.set()  # waiting threads then notice the end of the connection

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        """Relays both directions in one thread."""
        self._flows.wait()
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
            self.taken += 1
        with client, server, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    self._flows.wait()
                    if not (data := key.fileobj.recv(65536)):
                        return
                    self._flows.wait()
                    key.data.sendall(data)
