"""A total time-out for partner calls and mails (contract 3.5): whatever the other side does, they end.

Time-outs of sockets count from read to read, so a partner that drips bytes would hold a worker for hours. Here one
thread a process, the reaper, shuts the socket of an overdue call down; the reader then sees the end of the stream.
A call holds its own duplicate of the socket, so that the number can't have been given to another one meanwhile.
Connecting through a proxy and the TLS handshake are part of the call.
Only the look-up of a host's name is outside: the system's resolver has its own time-out.
"""

import contextlib
import os
import socket
import threading
import time

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

POOL_SIZE = 32  # connections kept for each host: one for each thread that calls at the same time

_current = threading.local()


class TimedCall:
    """One call in progress: its deadline, what became of it, and the socket that it uses."""

    def __init__(self, timeout: float):
        self.deadline = time.monotonic() + timeout
        self.expired = False
        self.sent = False  # a connection stood and the request began to go out
        self.at_proxy = False  # the proxy is asked for a connection, and has not given it yet
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Seconds left, never less than a millisecond (0 would make a socket non-blocking)."""
        return max(self.deadline - time.monotonic(), 0.001)

    @property
    def overdue(self) -> bool:
        return time.monotonic() >= self.deadline

    def uses(self, sock: socket.socket) -> None:
        with self._lock:
            self._drop()
            self._socket = socket.socket(fileno=os.dup(sock.fileno()))
            if self.expired:
                self._shut()

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def finish(self) -> None:
        with self._lock:
            self._drop()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already closed by the other side
                self._socket.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Reaper:
    """Ends overdue calls. Its thread starts with the first call and sleeps until the earliest deadline."""

    def __init__(self):
        self._calls: set[TimedCall] = set()
        self._changed = threading.Condition()
        self._wakes_at = 0.0  # when the thread looks next; 0: nobody sleeps
        self._thread: threading.Thread | None = None

    def add(self, call: TimedCall) -> None:
        with self._changed:
            self._calls.add(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="partner-deadlines", daemon=True)
                self._thread.start()
            elif call.deadline < self._wakes_at:
                self._changed.notify()

    def remove(self, call: TimedCall) -> None:
        with self._changed:
            self._calls.discard(call)
        call.finish()

    def _run(self) -> None:
        while True:
            for call in self._overdue():
                call.expire()

    def _overdue(self) -> list[TimedCall]:
        """Waits until a deadline has passed or the calls changed; the calls whose time is up."""
        with self._changed:
            self._wakes_at = min((call.deadline for call in self._calls), default=float("inf"))
            pause = self._wakes_at - time.monotonic()
            if pause > 0:
                self._changed.wait(min(pause, threading.TIMEOUT_MAX))
            self._wakes_at = 0.0
            now = time.monotonic()
            overdue = [call for call in self._calls if call.deadline <= now]
            self._calls.difference_update(overdue)
            return overdue


class _Watched:
    def _new_conn(self):
        _current.call.at_proxy = bool(self.proxy)
        try:
            return connected(self.host, self.port, _current.call)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host}:{self.port} in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {self.host}:{self.port}: {error}") from error

    def request(self, *args, **kwargs):
        call = _current.call
        if self.sock is None:
            self.connect()
        else:
            call.uses(self.sock)
        call.at_proxy = False
        call.sent = True
        return super().request(*args, **kwargs)


def connected(host: str, port: int, call: TimedCall) -> socket.socket:
    """A connection to the first of the host's addresses that takes one, all tries within the call's deadline."""
    problem = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(call.remaining())
            sock.connect(address)
            call.uses(sock)
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise problem


class _PlainConnection(_Watched, HTTPConnection):
    pass


class _TLSConnection(_Watched, HTTPSConnection):
    def request(self, *args, **kwargs):
        try:
            super().request(*args, **kwargs)
        except OSError:
            if _current.call.sent and self.sock is not None:
                self.sock.recv(1)  # raises the partner's alert, where it said why it hung up
            raise

    def _tunnel(self):
        super()._tunnel()
        _current.call.at_proxy = False  # from here on it is the partner that we speak with


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS = {"http": _PlainPool, "https": _TLSPool}


class DeadlineAdapter(HTTPAdapter):
    """requests' own sender with a deadline. It retries nothing and follows nothing; the outbox has the retry plan."""

    def __init__(self):
        super().__init__(pool_connections=8, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    @contextlib.contextmanager
    def deadline(self, timeout: float):
        """`with adapter.deadline(seconds) as call:` — all sending and reading inside ends by then."""
        call = _current.call = TimedCall(timeout)
        with _watching(call):
            yield call


class _Process:
    """This process's reaper and adapter. A forked child makes its own: threads and connections survive no fork."""

    def __init__(self):
        self.reaper = Reaper()
        self.lock = threading.Lock()
        self.adapter: DeadlineAdapter | None = None


_process = _Process()


def _forget() -> None:
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def _watching(call: TimedCall):
    reaper = _process.reaper
    reaper.add(call)
    try:
        yield
    finally:
        reaper.remove(call)


def adapter() -> DeadlineAdapter:
    process = _process
    with process.lock:
        if process.adapter is None:
            process.adapter = DeadlineAdapter()
        return process.adapter
