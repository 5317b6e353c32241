"""Another desk on the same database: what each process would call is compared through it (contract 3.9, 11).

A desk for tests whose DATABASE_URL leads to production would take half of all steps and send them to its own sandbox.
So the database keeps what its desk calls (the row IN_FORCE). A process with other values sends nothing, and a row of
its own says which values differ. The watchdog looks each 15 s, so no step pays for it.

A web process has a row too. It is judged by the profile of the partners alone: with another one it takes no order,
since it would read BBOSS's messages otherwise. It looks at most once in 5 s.
"""

import datetime
import functools
import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.base.database_deadline import LOOK, database_deadline
from integrations.models import HEARTBEAT_LIMIT, DeskProcess
from orders.books.books import BooksSilentError
from orders.incidents.desk_incidents import close_desk_incident, open_desk_incident
from orders.restore.restored_guard import read_restore_state
from orders.sending.reread_answers import read_otherwise

logger = logging.getLogger(__name__)
OTHER_DESK = "other_desk"
IN_FORCE = "in force"
BEFORE = "DESK_CALLS_BEFORE"  # in the environment of a worker that was reloaded: what it called before
PROFILE = "PARTNERS_FILE"
WEB_LOOKS_EVERY = 60.0  # seconds
SAYS_AGAIN = 60.0
FRESH = 5.0  # seconds for which a web process does not look again whether its profile is in force
RELOAD_LASTS = datetime.timedelta(seconds=15)  # that old web processes go on while new ones load
LEAVE_WITHIN = 2.0  # seconds that the database may take at the end of a web process
FORGOTTEN_AFTER = datetime.timedelta(days=1)
NAMED = 10  # answers that a line of the log names


@dataclass
class _Web:
    """What this web process knows of its profile. `changed`: a reload changed it, and it is not in force yet; `fitted`:
    it was in force once; `fine_at`: when it looked last and might take orders (monotonic time)."""

    changed: bool = False
    fitted: bool = False
    fine_at: float = float("-inf")


web = _Web()


def calls() -> dict[str, str]:
    """What this process would call, and as whom, by setting. No secret: of SECRET_KEY 32 bits of its hash."""
    return {
        "BPM_BASE_URL": _address(settings.BPM_BASE_URL),
        "BIGDATA_BASE_URL": _address(settings.BIGDATA_BASE_URL),
        "BBOSS_DOMAIN": settings.BBOSS_DOMAIN,
        "BBOSS_ROUTE_VALUE": settings.BBOSS_ROUTE_VALUE,
        "BBOSS_ENV_FLAG": settings.BBOSS_ENV_FLAG,
        "SECRET_KEY": _fingerprint(settings.SECRET_KEY),
        PROFILE: settings.PARTNERS.digest[:16],
    }


def _address(url: str) -> str:
    """The address without user and password: where it leads."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}".lower()


def _fingerprint(key: str) -> str:
    return hashlib.sha256(f"desk {key}".encode()).hexdigest()[:8]


def digest() -> str:
    """`calls()` in a few characters, for a process that follows this one."""
    return hashlib.sha256(json.dumps(calls(), sort_keys=True).encode()).hexdigest()[:16]


def differing(theirs: dict[str, str]) -> list[str]:
    """The settings in which this process differs from these. A key that it honours is no difference."""
    mine = calls()
    keys = {_fingerprint(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)}
    same = {name for name in mine if theirs.get(name, mine[name]) == mine[name]}
    return [name for name in mine if name not in same and not (name == "SECRET_KEY" and theirs[name] in keys)]


def _if_made(act: Callable[..., list]) -> Callable[..., list]:
    """Finds no difference where the table is not made yet: before `migrate` (docs/mechanisms/versions.md)."""

    @functools.wraps(act)
    def careful(*args, **kwargs) -> list:
        try:
            return act(*args, **kwargs)
        except (ProgrammingError, OperationalError) as error:
            if DeskProcess._meta.db_table not in str(error):
                raise
            return []

    return careful


@_if_made
def enter(name: str, *, before: str = "", changed: bool = False, works: bool = True) -> list[str]:
    """Notes a process's start. Returns the settings in which it differs from the desk: then it must take no step.

    Its values become the desk's where there is none yet; after a reload that changed them (`before`: the digest of what
    it called before; or `changed`); and where no other process with other values is alive, except in a restored
    database. Of a web process (`works` is false) only its profile does, and of others' web processes only that counts.
    """
    differs, taken = _enter(name, changed=changed or (bool(before) and before != digest()), works=works)
    if PROFILE in taken:
        say_read_otherwise()
    return differs


@transaction.atomic
def _enter(name: str, *, changed: bool, works: bool) -> tuple[list[str], list[str]]:
    now, mine = timezone.now(), calls() if works else {PROFILE: calls()[PROFILE]}
    DeskProcess.objects.get_or_create(name=IN_FORCE, defaults={"calls": mine, "seen_at": now})
    row = DeskProcess.objects.select_for_update(no_key=True).get(name=IN_FORCE)
    differs, taken = differing(row.calls), []
    own = [key for key in differs if key in mine]
    if own and (changed or not (read_restore_state().restored or _others(name, mine, now))):
        logger.warning("what this desk calls has changed: %s", ", ".join(own))
        differs, taken = [key for key in differs if key not in mine], own
    if not set(differs) & mine.keys() and row.calls | mine != row.calls:
        DeskProcess.objects.filter(name=IN_FORCE).update(calls=row.calls | mine, seen_at=now)
    _note(name, differs, works=works, now=now)
    return differs, taken


def _others(name: str, mine: dict[str, str], now: datetime.datetime) -> bool:
    """Whether another process that differs in these values is alive. A web process makes no calls: of its values only
    the profile counts."""
    alive = _alive(now).exclude(name=name)
    counts = {True: mine.keys(), False: {PROFILE}}
    return any(counts[row.works] & set(differing(row.calls)) and not _was_killed_here(row) for row in alive)


def _alive(now: datetime.datetime) -> QuerySet[DeskProcess]:
    return DeskProcess.objects.exclude(name=IN_FORCE).filter(seen_at__gt=now - HEARTBEAT_LIMIT)


def say_read_otherwise() -> None:
    """Lists in the log what would read otherwise by a profile that has just come into force (contract 7.2)."""
    try:
        rows = read_otherwise()
    except Exception as error:  # whatever it is, the process starts
        logger.warning("what answers mean by the profile in force now is not known: %s", error)
        return
    if rows:
        named = ", ".join(f"{row.order} {row.call} {row.was} -> {row.now}" for row in rows[:NAMED])
        more = ", ..." if len(rows) > NAMED else ""
        logger.warning(
            "by the profile in force now %s answers would read otherwise; `resume` and `resend` carry it out: %s%s",
            len(rows),
            named,
            more,
        )


def _was_killed_here(row: DeskProcess) -> bool:
    """Whether it ran on this machine, and its process is gone though it never said goodbye."""
    if row.machine != _machine():
        return False
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another account's
        return False
    return False


def _machine() -> str:
    return socket.gethostname()[:64]


@_if_made
def look(name: str, *, works: bool = True) -> list[str]:
    """The settings in which this process differs from the desk, which its row says too."""
    differs = differs_now()
    _note(name, differs, works=works, now=timezone.now())
    return differs


@_if_made
def differs_now() -> list[str]:
    row = DeskProcess.objects.filter(name=IN_FORCE).first()
    return differing(row.calls) if row else []


def why_other_desk() -> str:
    """Why this process asks no partner, for English logs. Empty if it may."""
    differs = differs_now()
    return f"the desk of this database calls others, by {', '.join(differs)}" if differs else ""


def refuse_other_desk() -> None:
    """Raises BooksSilentError where this process would ask another big-data side than the desk's."""
    if why := why_other_desk():
        raise BooksSilentError(why, code=OTHER_DESK)


def _note(name: str, differs: list[str], *, works: bool, now: datetime.datetime) -> None:
    said = {"calls": calls(), "differs": differs, "works": works, "seen_at": now}
    said |= {"machine": _machine(), "pid": os.getpid()}
    DeskProcess.objects.update_or_create(name=name, defaults=said)


def leave(name: str) -> None:
    DeskProcess.objects.filter(name=name).delete()


def adopt(*, now: datetime.datetime) -> list[str]:
    """Makes what this process would call that of the desk. Returns the settings that differed."""
    differs = differs_now()
    DeskProcess.objects.update_or_create(name=IN_FORCE, defaults={"calls": calls(), "seen_at": now})
    if PROFILE in differs:
        say_read_otherwise()
    return differs


@_if_made
def machines_with_another_profile() -> list[str]:
    """The living processes, with their machines, whose profile of the partners is not that of this process, and the
    desk itself if its profile is another. `resume` reads answers by it, so all must have the same."""
    mine = calls()[PROFILE]
    rows = DeskProcess.objects.filter(Q(name=IN_FORCE) | Q(seen_at__gt=timezone.now() - HEARTBEAT_LIMIT))
    others = [row for row in rows.order_by("name") if row.calls.get(PROFILE, mine) != mine]
    return [
        f"{row.name} ({row.machine})" if row.machine else "the desk of this database"
        for row in others
        if not _was_killed_here(row)
    ]


def has_other_profile() -> bool:
    """Whether this web process has another profile than the desk, so that it must take no order (contract 7.1).

    It does not look again for FRESH once all was well. While a reload replaces the web processes, the old ones go on:
    each order is read by one profile or the other.
    """
    if web.changed or time.monotonic() - web.fine_at < FRESH:
        return False
    other = bool(_other_profile())
    web.fine_at = float("-inf") if other else time.monotonic()
    return other


@_if_made
def _other_profile() -> list[str]:
    mine = calls()[PROFILE]
    row = DeskProcess.objects.filter(name=IN_FORCE).first()
    if row is None or row.calls.get(PROFILE, mine) == mine:
        web.fitted = True
        return []
    return [] if web.fitted and timezone.now() - row.seen_at < RELOAD_LASTS else [PROFILE]


@_if_made
def other_desks(*, now: datetime.datetime) -> list[DeskProcess]:
    """The living processes that differ from the desk."""
    return [row for row in _alive(now).order_by("name") if row.differs]


def say(differs: list[str], *, now: datetime.datetime) -> None:
    """Opens the incident, or brings it up to date."""
    params = {"machine": _machine(), "settings": ", ".join(differs)}
    open_desk_incident(OTHER_DESK, params=params, now=now)


def watch_other_desks(*, now: datetime.datetime) -> None:
    """Ends the incident once no living process differs, and forgets those that were killed. The sweep calls it each
    minute; who differs opens it."""
    DeskProcess.objects.exclude(name=IN_FORCE).filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    if not other_desks(now=now):
        close_desk_incident(OTHER_DESK, now=now)


def watch_web() -> None:
    """Runs in a thread of a web process, for good: notes its start, then beats, and says it where that differs, which
    takes a minute at least. A reload of all services changes them one after the other."""
    name, entered = _name_of_web(), False
    while True:
        try:
            with database_deadline(LOOK):
                if not entered:
                    differs = enter(name, changed=web.changed, works=False)
                    entered, web.changed = True, False
                    if differs:
                        logger.error("this process differs from the desk of this database, by %s", ", ".join(differs))
                elif differs := look(name, works=False):
                    say(differs, now=timezone.now())
        except Exception as error:  # whatever it is, the next look follows
            logger.warning("whether this process calls whom the desk calls is not known: %s", error)
        finally:
            connections.close_all()
        time.sleep(WEB_LOOKS_EVERY)


def leave_web() -> None:
    """Says goodbye for a web process that ends. Never fails."""
    try:
        with database_deadline(LEAVE_WITHIN):
            leave(_name_of_web())
    except Exception as error:  # whatever it is, it ends
        logger.warning("the end of this process is not noted: %s", error)
    finally:
        connections.close_all()


def _name_of_web() -> str:
    return f"web {socket.gethostname()[:40]}-{os.getpid()}"
