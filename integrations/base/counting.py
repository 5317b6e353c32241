"""The counters and histograms of /metrics (contract 6), of all processes of this machine.

Each process counts in files of its own in STATE_DIR, mapped into its memory (prometheus-client's multiprocess mode).
So a count asks nobody, and outlives a process that is killed. Whoever reads adds all files up, and moves what dead
processes left into one file. A process locks its files as long as it lives: no pid that comes again can stand for it.

Nothing here refuses anything: a count that fails is a line in the log.
"""

import contextlib
import fcntl
import functools
import json
import logging
import os
import struct
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from django.conf import settings
from prometheus_client import Counter, Histogram, Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.values import MultiProcessValue

from orders.db.disk import locked, replace_file

logger = logging.getLogger(__name__)
FOLDER = settings.STATE_DIR.absolute() / "counters"
DEAD = FOLDER / "dead.json"  # {"sums": {key: value}, "files": those that are in the sums already}
SIZES = {"counter": 1 << 18, "histogram": 1 << 20}  # bytes of a process's files: far more than our bounded labels need
AGAIN = 60.0  # seconds until a process that could not make its files tries again
NEVER = float("-inf")
OTHER = "other"
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PARTNER = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
PAGE = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _Own:
    """This process's part of its files' names, and its locks on them."""

    def __init__(self) -> None:
        self.pid, self.name = os.getpid(), f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self.making, self.locks = threading.Lock(), []
        self.has_files, self.failed_at = False, NEVER


def _name() -> str:
    """A child that was forked counts in files of its own."""
    global _own
    if _own.pid != os.getpid():
        _own = _Own()
    return _own.name


_own = _Own()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
values.ValueClass = MultiProcessValue(_name)
INBOUND = Counter("desk_inbound_total", "Calls of others, by answer", ["source", "code"], registry=None)
INBOUND_SECONDS = Histogram(
    "desk_inbound_seconds", "How long calls of others took", ["source"], registry=None, buckets=QUICK
)
CALLS = Counter("desk_calls_total", "Calls to partners", ["partner", "step", "outcome"], registry=None)
CALL_SECONDS = Histogram(
    "desk_call_seconds", "How long calls to partners took", ["partner", "step"], registry=None, buckets=PARTNER
)
PAGES = Histogram("desk_pages_seconds", "How long staff's pages took", ["page"], registry=None, buckets=PAGE)
DATABASE_ERRORS = Counter("desk_database_errors_total", "Errors of the database", ["kind"], registry=None)
LOGINS = Counter("desk_logins_total", "Log-ins", ["way", "outcome"], registry=None)
COUNTED = (INBOUND, INBOUND_SECONDS, CALLS, CALL_SECONDS, PAGES, DATABASE_ERRORS, LOGINS)


def _only_counts(count: Callable[..., None]) -> Callable[..., None]:
    """Logs a fault once, and never raises it. A process without files tries again each minute, without a new line."""

    @functools.wraps(count)
    def safe(*args) -> None:
        try:
            _name()
            if not _own.has_files:
                if time.monotonic() - _own.failed_at < AGAIN:
                    return
                _make_files()
            count(*args)
            _own.failed_at = NEVER
        except Exception as error:
            if _own.failed_at == NEVER:
                logger.error("STATE_DIR: this process can't count for /metrics; all else goes on: %s", error)
            _own.failed_at = time.monotonic()

    return safe


@functools.lru_cache(maxsize=4096)
def _labelled(metric, *labels: str):
    """The metric of these labels, which the library looks up under a lock each time."""
    return metric.labels(*labels)


@_only_counts
def count_inbound(source: str, code: str, seconds: float) -> None:
    """A call of `bboss`, `bpm` or `api`. `code`: the rspCode or HTTP status of its answer."""
    _labelled(INBOUND, source, code).inc()
    _labelled(INBOUND_SECONDS, source).observe(seconds)


@_only_counts
def count_call(partner: str, step: str, outcome: str, seconds: float | None) -> None:
    """A call to a partner. `seconds` is None if nobody knows how long it took, since its worker died."""
    _labelled(CALLS, partner, step, outcome).inc()
    if seconds is not None:
        _labelled(CALL_SECONDS, partner, step).observe(seconds)


@_only_counts
def count_page(page: str, seconds: float) -> None:
    """A page of staff, by its view's name."""
    PAGES.labels(page).observe(seconds)


@_only_counts
def count_database_error(kind: str) -> None:
    """`kind`: `away`, `deadline` or `other`."""
    DATABASE_ERRORS.labels(kind).inc()


@_only_counts
def count_login(way: str, outcome: str) -> None:
    """`way`: `company` or `password`. `outcome`: `let_in`, `refused` or `locked`."""
    LOGINS.labels(way, outcome).inc()


def _make_files() -> None:
    """Makes this process's files, with all their blocks: a full disk would kill a process that writes into a hole.

    Each is locked before it has a name that readers look for.
    """
    with _own.making:
        if _own.has_files:
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        for kind, size in SIZES.items():
            file = FOLDER / f"{kind}_{_own.name}.db"
            part = file.with_suffix(".part")
            handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                os.posix_fallocate(handle, 0, size)
                fcntl.flock(handle, fcntl.LOCK_EX)
                part.rename(file)
            except OSError:
                os.close(handle)
                part.unlink(missing_ok=True)
                raise
            _own.locks.append(handle)
        _own.has_files = True


class CountedCollector:
    """What all processes have counted, as Prometheus' metrics. No counter ever falls, not even at a restart of all."""

    def collect(self) -> Iterator[Metric]:
        found = {family.name: family for metric in COUNTED for family in metric.describe()}
        buckets: dict[tuple, list[tuple[float, str, float]]] = defaultdict(list)
        for key, value in sums().items():
            name, sample, labels = json.loads(key)
            if name in found and (le := labels.pop("le", None)):
                buckets[name, json.dumps(labels)].append((float(le), le, value))
            elif name in found:
                found[name].add_sample(sample, labels, value)
        for (name, given), numbers in buckets.items():
            labels, numbers = json.loads(given), sorted(numbers)
            totals = list(accumulate(number for _, _, number in numbers))
            for (_, le, _), total in zip(numbers, totals, strict=True):
                found[name].add_sample(f"{name}_bucket", labels | {"le": le}, total)
            found[name].add_sample(f"{name}_count", labels, totals[-1])
        yield from found.values()


def sums() -> dict[str, float]:
    """What the processes of this machine have counted, living and dead: JSON of metric, sample and labels, and a value.

    Empty if nobody could count.
    """
    if not FOLDER.is_dir():
        return {}
    with locked(FOLDER):
        kept = _read_dead()
        sums, living, dead = defaultdict(float, kept["sums"]), [], []
        for file in FOLDER.glob("*.db"):
            (dead if _is_dead(file) else living).append(file)
        for file in dead:
            if file.name not in kept["files"]:  # otherwise whoever added it ended before it was removed
                _add(file, sums)
        if dead and not kept.get("broken"):
            _bury(dead, sums)
        for file in living:
            _add(file, sums)
    return dict(sums)


def _read_dead() -> dict:
    try:
        return json.loads(DEAD.read_text())
    except FileNotFoundError:
        return {"sums": {}, "files": []}
    except (OSError, ValueError) as error:
        logger.error("STATE_DIR: what ended processes counted can't be read: %s", error)
        return {"sums": {}, "files": [], "broken": True}


def _is_dead(file: Path) -> bool:
    """Whether no process holds the file. One of another account that can't be opened counts as living."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _add(file: Path, sums: dict[str, float]) -> None:
    """Adds a file's values. What a process left half written is skipped from there on."""
    try:
        for key, value, _moment, _place in MmapedDict.read_all_values_from_file(file):
            sums[_without_help(key)] += value
    except (OSError, RuntimeError, ValueError, struct.error) as error:
        logger.error("STATE_DIR: %s can't be read: %s", file.name, error)


@functools.lru_cache(maxsize=20_000)
def _without_help(key: str) -> str:
    """The library's key without the help text, which another version may word differently."""
    return json.dumps(json.loads(key)[:3])


def _bury(files: list[Path], sums: dict[str, float]) -> None:
    """Stores the sums in DEAD, then removes the files. DEAD names them: a crash in between leaves sums and files."""
    try:
        replace_file(DEAD, json.dumps({"sums": sums, "files": [file.name for file in files]}))
    except OSError:  # a full disk: they stay until there is room
        return
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
