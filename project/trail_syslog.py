"""Sends the trail to a log server (contract 4, AUDIT_SYSLOG). The format is RFC 5424.

The server is reached over UDP, TCP or TLS. Over TCP and TLS, each act is sent at least once.

Acts that can't be sent wait in the database. Each batch over TCP has its own connection. A batch counts as received
once the server has read everything and has closed the connection too. Otherwise the batch is sent again.
"""

import contextlib
import datetime
import fcntl
import heapq
import os
import re
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone
from django_q.tasks import async_task

from integrations.tasks import path_of, unless_away
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from orders.history.actors import names_read_once
from orders.incidents.desk_incidents import keep_desk_incident
from orders.models import TrailSending
from project.base.logs import one_line
from project.trail.trail_query import SOURCES, Act

AUDIT_STUCK = "audit_stuck"
STUCK_AFTER = datetime.timedelta(minutes=10)
ACTS_A_BATCH, FIRST_AFTER_FAILURE = 500, 20  # acts
BEGIN_FOR, TIMEOUT, CONNECT = 8.0, 10.0, 5.0  # seconds: to begin batches, for a batch, for its connection
LEASE = datetime.timedelta(seconds=60)
LONGEST = 8000  # bytes of a message; rsyslog takes 8 KiB
LONGEST_VALUE = 300  # characters of a parameter's value; five values fit, even with four bytes a character
PRIORITY = 13 * 8 + 5  # facility: log audit; severity: notice
SD_ID = "trail@32473"  # IANA's enterprise number for examples, since we have none
COLUMNS = ("entries", "events", "journal")  # of TrailSending, in the order of SOURCES
SETTLING = 5.0  # seconds for which a run waits for open transactions
WRITERS = """SELECT virtualtransaction FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND relation = ANY(%s::regclass[]::oid[]) AND mode = 'RowExclusiveLock' AND granted
AND pid IS DISTINCT FROM pg_backend_pid()"""


class Target(NamedTuple):
    scheme: str
    host: str
    port: int


def target_of(url: str) -> Target:
    """Returns the server of AUDIT_SYSLOG. Raises ValueError if it is malformed."""
    parts = urlsplit(url)
    if parts.scheme not in {"udp", "tcp", "tls"} or not parts.hostname or not parts.port:
        raise ValueError("must be udp://host:port, tcp://host:port or tls://host:port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must end with the port, and has no user")
    return Target(parts.scheme, parts.hostname, parts.port)


def watch_trail(*, now: datetime.datetime) -> None:
    """Opens or ends the incident about a log server that receives nothing."""
    keep_desk_incident(AUDIT_STUCK, stuck_trail(now=now), now=now)


def stuck_trail(*, now: datetime.datetime) -> dict | None:
    """Returns the `number` of waiting acts, the `minutes` since the first failure, and the last `error`. If sending
    does not fail, or AUDIT_SYSLOG is empty, returns None."""
    row = TrailSending.objects.filter(failing_since__lt=now - STUCK_AFTER).first() if settings.AUDIT_SYSLOG else None
    if row is None:
        return None
    number = sum(
        source.rows().filter(pk__gt=getattr(row, column)).count()
        for source, column in zip(SOURCES, COLUMNS, strict=True)
    )
    return {"number": number, "minutes": int((now - row.failing_since).total_seconds() // 60), "error": row.error}


@unless_away
def send_trail() -> str:
    """Sends the trail for some seconds. If another process is sending it, does nothing. Queues a task for the rest."""
    if not settings.AUDIT_SYSLOG:
        return "AUDIT_SYSLOG is empty"
    lease = Lease("audit_syslog", held_for=LEASE)
    if not lease.is_free() or not lease.acquire():
        return "another process sends"
    row = TrailSending.objects.first() or TrailSending.objects.create()
    try:
        sent, left = _send(row, target_of(settings.AUDIT_SYSLOG), lease)
    except OSError as error:
        row.failing_since, row.error = row.failing_since or timezone.now(), (str(error) or repr(error))[:300]
        row.save(update_fields=["failing_since", "error"])
        return f"not sent: {row.error}"
    finally:
        lease.give_back()
    if left:
        async_task(path_of(send_trail))
    return f"{sent} sent"


def _send(row: TrailSending, target: Target, lease: Lease) -> tuple[int, bool]:
    """Sends batches for BEGIN_FOR seconds. Returns the number of sent acts, and True if acts are left. Raises
    OSError."""
    until, sent, ends = time.monotonic() + BEGIN_FOR, 0, _settled()
    number = FIRST_AFTER_FAILURE if row.failing_since else ACTS_A_BATCH
    while not ending.is_set() and time.monotonic() < until and lease.acquire():
        acts, marks = _next(row, ends, number)
        if acts:
            deliver(target, [message(act) for act in acts])
        vars(row).update(zip(COLUMNS, marks, strict=True), failing_since=None, error="")
        row.save()
        sent += len(acts)
        if tuple(marks) == tuple(ends):
            return sent, False
        number = ACTS_A_BATCH
    return sent, True


def _settled() -> list[int]:
    """Waits until no new row can appear below the newest id of each source, and returns these ids. Raises TimeoutError
    after SETTLING seconds.

    PostgreSQL assigns ids in the order of the INSERTs, but rows become visible in the order of the COMMITs. A
    transaction locks the table before it takes an id, and keeps the lock until it ends. So this function waits for the
    transactions that now hold such a lock.
    """
    newest = [source.rows().model.objects.aggregate(newest=Max("pk"))["newest"] or 0 for source in SOURCES]
    if connection.vendor != "postgresql":
        return newest  # SQLite has one writer at a time
    until, writers = time.monotonic() + SETTLING, _writers()
    while writers:
        if time.monotonic() > until:
            raise TimeoutError("a transaction that somebody left open keeps the trail from being read")
        time.sleep(0.05)
        writers &= _writers()
    return newest


def _writers() -> set[str]:
    """Returns the other transactions that write a source's table."""
    tables = [source.rows().model._meta.db_table for source in SOURCES]
    with connection.cursor() as cursor:
        cursor.execute(WRITERS, [tables])
        return {name for (name,) in cursor.fetchall()}


def _next(row: TrailSending, ends: Sequence[int], number: int) -> tuple[list[Act], list[int]]:
    """Returns the next acts, oldest first. Also returns, for each source, the id up to which its acts are sent after
    that."""
    marks, parts = [getattr(row, column) for column in COLUMNS], []
    with names_read_once():
        for source, mark, end in zip(SOURCES, marks, ends, strict=True):
            rows = source.rows().filter(pk__gt=mark, pk__lte=end).order_by("pk")[:number]
            parts.append([source.read(one) for one in rows])
    acts = list(islice(heapq.merge(*parts, key=lambda act: act.at), number))
    for index, (part, end) in enumerate(zip(parts, ends, strict=True)):
        taken = [act.position.pk for act in acts if act.position.source == index]
        marks[index] = max(marks[index], *taken, end if len(taken) == len(part) < number else 0)
    return acts, marks


def message(act: Act) -> bytes:
    """Returns an act as an RFC 5424 message of one line. An act that is sent twice has the same `id`."""
    source, at = COLUMNS[act.position.source], timezone.localtime(act.at).isoformat(timespec="microseconds")
    said = {
        "id": f"{source}-{act.position.pk}",
        "who": act.who,
        "from": act.address,
        "what": act.what,
        "about": act.about,
    }
    data = " ".join(f'{name}="{_escaped(text)}"' for name, text in said.items())
    head = f"<{PRIORITY}>1 {at} {_name(socket.gethostname(), 255)} ibs-order-desk - {_name(act.what, 32)}"
    text = f"{head} [{SD_ID} {data}] \ufeff{one_line(act.details)}".encode(errors="replace")
    return text[:LONGEST].decode(errors="ignore").encode()


def _name(text: str, longest: int) -> str:
    return re.sub(r"[^!-~]", "_", text)[:longest] or "-"


def _escaped(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", one_line(text)[:LONGEST_VALUE])


def deliver(target: Target, messages: Sequence[bytes]) -> None:
    """Sends the messages. Over TCP, raises OSError unless it is certain that the server has read all messages."""
    if target.scheme == "udp":
        [family, kind, protocol, _name, address] = socket.getaddrinfo(*target[1:], type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            for text in messages:
                sock.sendto(text, address)
        return
    until, data = time.monotonic() + TIMEOUT, memoryview(b"".join(b"%d %s" % (len(text), text) for text in messages))
    with contextlib.ExitStack() as held:
        sock = held.enter_context(_connect(target, until))
        if target.scheme == "tls":
            sock.settimeout(min(CONNECT, _seconds_left(until)))
            context = ssl.create_default_context(cafile=settings.PARTNER_CA_BUNDLE or None)
            sock = held.enter_context(context.wrap_socket(sock, server_hostname=target.host))
        while data:
            sock.settimeout(_seconds_left(until))
            data = data[sock.send(data) :]
        if isinstance(sock, ssl.SSLSocket):
            sock.settimeout(_seconds_left(until))
            _end_tls(sock)
        sock.shutdown(socket.SHUT_WR)
        _wait_for_end(sock, until)


def _connect(target: Target, until: float) -> socket.socket:
    """Returns a connection to the first address of the server that accepts a connection. Raises OSError."""
    refused = OSError("the log server has no address")
    for *_kind, address in socket.getaddrinfo(*target[1:], type=socket.SOCK_STREAM):
        try:
            return socket.create_connection(address[:2], timeout=min(CONNECT, _seconds_left(until)))
        except OSError as error:
            refused = error
    raise refused


def _seconds_left(until: float) -> float:
    """Returns the seconds left. If no time is left, raises TimeoutError."""
    if (left := until - time.monotonic()) > 0:
        return left
    raise TimeoutError("the log server is too slow")


def _end_tls(sock: ssl.SSLSocket) -> None:
    """Sends TLS's close_notify. The server may close the connection without sending its own."""
    try:
        sock.unwrap()
    except ssl.SSLEOFError:
        pass
    except OSError as error:
        if error.errno:
            raise


def _wait_for_end(sock: socket.socket, until: float) -> None:
    """Waits until the server has closed the connection and its kernel has acknowledged all data. Raises OSError if data
    are left unread."""
    while time.monotonic() < until:
        sock.settimeout(max(until - time.monotonic(), 0.01))
        if not sock.recv(4096):
            break
    while time.monotonic() < until:
        (waiting,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        if not waiting:
            return
        time.sleep(0.01)
    raise TimeoutError("the log server does not end the connection, so nobody knows whether it has read all")
