"""A total time-out for partner calls and mails (contract 3.5). A slow server can't extend the time-out.

Socket time-outs apply to each read, so a partner that sends byte by byte could hold a worker for hours. Here every read
and write of a connection is limited to the remaining time of its thread's call. This includes connecting through a
proxy and the TLS handshake. It excludes name resolution, because the system's resolver has its own time-out.
"""

import contextlib
import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

OVERRUN = 0.1  # seconds that a call may exceed its time-out, so that the socket's time-out rarely changes
POOL_SIZE = 32  # connections kept for each host; each thread that calls at the same time needs a connection

_current = threading.local()


class TimedCall:
    """A call in progress: its deadline and its progress."""

    def __init__(self, timeout: float):
        self.deadline = time.monotonic() + timeout
        self.sent = False  # a connection exists and sending has begun
        self.at_proxy = False  # a connection was requested from the proxy and is not there yet

    @property
    def overdue(self) -> bool:
        return time.monotonic() >= self.deadline

    def limit(self, sock: socket.socket) -> None:
        """Limits the socket's next operation to the remaining time. If no time remains, raises TimeoutError."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("time is up")
        if not left <= (sock.gettimeout() or 0) <= left + OVERRUN:
            sock.settimeout(left)


@contextlib.contextmanager
def deadline(timeout: float) -> Iterator[TimedCall]:
    """Limits all sending and reading of this thread in the block: `with deadline(seconds) as call:`."""
    _current.call = call = TimedCall(timeout)
    yield call


class _Timed:
    """A socket that limits each read and write to the remaining time of the thread's call."""

    def settimeout(self, value):
        if value != self.gettimeout():  # a change releases the GIL, so that this thread may have to wait for it
            super().settimeout(value)

    def recv_into(self, *args):
        _current.call.limit(self)
        return super().recv_into(*args)

    def sendall(self, *args):
        _current.call.limit(self)
        return super().sendall(*args)


class _PlainSocket(_Timed, socket.socket):
    pass


class TLSSocket(_Timed, ssl.SSLSocket):
    """A TLS socket that limits handshake, reads and writes to the remaining time of the thread's call."""

    def do_handshake(self, *args):
        _current.call.limit(self)
        super().do_handshake(*args)

    def send(self, *args):  # `sendall` calls it for each part
        _current.call.limit(self)
        return super().send(*args)


def connected(host: str, port: int) -> socket.socket:
    """Returns a connection to the first address of the host that accepts a connection, within the call's deadline.
    Raises OSError."""
    problem = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = _PlainSocket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _current.call.limit(sock)
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise problem


class _Watched:
    """A connection that records the progress of the current call."""

    def _new_conn(self):
        _current.call.at_proxy = bool(self.proxy)
        try:
            return connected(self.host, self.port)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host}:{self.port} in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {self.host}:{self.port}: {error}") from error

    def request(self, *args, **kwargs):
        if self.sock is None:
            self.connect()
        _current.call.at_proxy = False
        _current.call.sent = True
        return super().request(*args, **kwargs)


class _PlainConnection(_Watched, HTTPConnection):
    pass


class _TLSConnection(_Watched, HTTPSConnection):
    def connect(self):
        self.ssl_context = create_urllib3_context()
        self.ssl_context.sslsocket_class = TLSSocket
        super().connect()

    def request(self, *args, **kwargs):
        try:
            super().request(*args, **kwargs)
        except OSError:
            if _current.call.sent and self.sock is not None:
                self.sock.recv_into(bytearray(1))  # raises the partner's TLS alert, if it was sent before the close
            raise

    def _tunnel(self):
        super()._tunnel()
        _current.call.at_proxy = False  # from here on the connection leads to the partner


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS = {"http": _PlainPool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    """requests' adapter with these connections. It retries nothing, because the outbox plans attempts."""

    def __init__(self):
        super().__init__(pool_connections=8, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


@functools.cache
def adapter() -> _Adapter:
    """Returns the adapter of this process. A forked child creates its own adapter, because connections can't be
    shared."""
    return _Adapter()


os.register_at_fork(after_in_child=adapter.cache_clear)
