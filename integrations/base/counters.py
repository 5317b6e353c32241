"""The counters and histograms of /metrics (contract 6), for all processes of this machine.

Each process counts in its own files in STATE_DIR (prometheus-client's multiprocess mode). The files are mapped into the
memory of the process. So counting needs no other process, and counts survive a kill. A process locks its files while it
lives. A later process continues the files of a dead process, so the number of files does not grow with each restart.
Readers merge all files.

Counting never rejects a request: a failure is only logged.
"""

import contextlib
import fcntl
import functools
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from prometheus_client import Counter, Histogram, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from orders.db.disk import locked

logger = logging.getLogger(__name__)
FOLDER = settings.STATE_DIR.absolute() / "counters"
SIZES = {"counter": 1 << 18, "histogram": 1 << 20}  # bytes of a process's files: far more than our bounded labels need
RETRY_SECONDS = 60.0  # seconds until a process that could not create its files tries again
NEVER = float("-inf")
OTHER = "other"
QUICK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PARTNER_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
PAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _Own:
    """The counter files of this process. `name` is the process's part of the file names. It is empty until the process
    has locked its files."""

    def __init__(self) -> None:
        self.pid, self.name = os.getpid(), ""
        self.making, self.has_files, self.failed_at = threading.Lock(), False, NEVER


def _name() -> str:
    """Returns this process's part of the file names. A forked child starts without files."""
    global _own
    if _own.pid != os.getpid():
        _own = _Own()
    return _own.name


_own = _Own()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
values.ValueClass = MultiProcessValue(_name)
INBOUND = Counter("desk_inbound_total", "Calls of others, by answer", ["source", "code"], registry=None)
INBOUND_SECONDS = Histogram(
    "desk_inbound_seconds", "How long calls of others took", ["source"], registry=None, buckets=QUICK_BUCKETS
)
CALLS = Counter("desk_calls_total", "Calls to partners", ["partner", "step", "outcome"], registry=None)
CALL_SECONDS = Histogram(
    "desk_call_seconds", "How long calls to partners took", ["partner", "step"], registry=None, buckets=PARTNER_BUCKETS
)
PAGES = Histogram("desk_pages_seconds", "How long staff's pages took", ["page"], registry=None, buckets=PAGE_BUCKETS)
DATABASE_ERRORS = Counter("desk_database_errors_total", "Errors of the database", ["kind"], registry=None)
LOGINS = Counter("desk_logins_total", "Log-ins", ["way", "outcome"], registry=None)
COUNTED = (INBOUND, INBOUND_SECONDS, CALLS, CALL_SECONDS, PAGES, DATABASE_ERRORS, LOGINS)


def _only_counts(count: Callable[..., None]) -> Callable[..., None]:
    """Decorates a counting function so that it never raises. The decorated function logs only the first error of a
    series. A process without files tries to create them each minute and logs nothing more."""

    @functools.wraps(count)
    def safe(*args) -> None:
        try:
            _name()
            if not _own.has_files:
                if time.monotonic() - _own.failed_at < RETRY_SECONDS:
                    return
                _take_files()
            count(*args)
            _own.failed_at = NEVER
        except Exception as error:
            if _own.failed_at == NEVER:
                logger.error("STATE_DIR: this process can't count for /metrics; all else goes on: %s", error)
            _own.failed_at = time.monotonic()

    return safe


@functools.lru_cache(maxsize=4096)
def _labelled(metric, *labels: str):
    """Returns the metric with these labels. It is cached, because the library's lookup takes a lock."""
    return metric.labels(*labels)


@_only_counts
def count_inbound(source: str, code: str, seconds: float) -> None:
    """Counts a request. `source` is `bboss`, `bpm` or `api`. `code` is the rspCode or the HTTP status of the
    response."""
    _labelled(INBOUND, source, code).inc()
    _labelled(INBOUND_SECONDS, source).observe(seconds)


@_only_counts
def count_call(partner: str, step: str, outcome: str, seconds: float | None) -> None:
    """Counts a call to a partner. `seconds` is None if the duration is unknown because the worker died."""
    _labelled(CALLS, partner, step, outcome).inc()
    if seconds is not None:
        _labelled(CALL_SECONDS, partner, step).observe(seconds)


@_only_counts
def count_page(page: str, seconds: float) -> None:
    """Counts a page shown to staff, by the name of its view."""
    PAGES.labels(page).observe(seconds)


@_only_counts
def count_database_error(kind: str) -> None:
    """Counts an error of the database. `kind` is `away`, `deadline` or `other`."""
    DATABASE_ERRORS.labels(kind).inc()


@_only_counts
def count_login(way: str, outcome: str) -> None:
    """Counts a log-in. `way` is `company` or `password`. `outcome` is `let_in`, `refused` or `locked`."""
    LOGINS.labels(way, outcome).inc()


def _take_files() -> None:
    """Locks the first pair of files that no process holds, and continues its counts. Creates the pair if needed."""
    with _own.making:
        if _own.has_files:
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        with locked(FOLDER):
            names = (f"{os.getuid()}-{number}" for number in itertools.count())
            _own.name = next(name for name in names if _lock(name))
        _own.has_files = True


def _lock(name: str) -> bool:
    """Locks a pair of files. Returns False if another process holds the pair, or if a file is damaged.

    On a full disk a write to an unallocated block would kill the process, so all blocks of the files are allocated
    here.
    """
    with contextlib.ExitStack() as pair:
        for kind, size in SIZES.items():
            file = f"{FOLDER}/{kind}_{name}.db"
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
            pair.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            os.posix_fallocate(handle, 0, size)
            if not _is_sound(file):
                return False
        pair.pop_all()  # keeps the files open, because the library has them mapped, also in a forked child
    return True


class CountedCollector:
    """The sums over all processes as Prometheus metrics. Counters never decrease, even if all processes restart."""

    def collect(self) -> Iterator[Metric]:
        found = {family.name: family for metric in COUNTED for family in metric.describe()}
        for family in _merged():
            if family.name in found:
                found[family.name].samples = family.samples
        yield from found.values()


def _merged() -> Iterable[Metric]:
    """Returns the counts of all processes of this machine, living and dead. Empty if there are none."""
    if not FOLDER.is_dir():
        return ()
    try:
        with locked(FOLDER):
            files = [str(file) for file in FOLDER.glob("*.db") if file.stat().st_size]
            try:
                return MultiProcessCollector.merge(files)
            except Exception:
                return MultiProcessCollector.merge(list(filter(_is_sound, files)))
    except (OSError, ValueError) as error:
        logger.error("STATE_DIR: what the processes counted can't be read: %s", error)
        return ()


def _is_sound(file: str) -> bool:
    """Returns True if the library can read the file. Renames a damaged file, so that it is not read again."""
    try:
        MultiProcessCollector.merge([file])
    except Exception as error:
        logger.error("STATE_DIR: %s can't be read: %s", file, error)
        os.rename(file, f"{file}.broken")
        return False
    return True
