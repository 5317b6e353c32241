"""Protects a database against a second desk: compares the partner settings of all processes (contract 3.9, 11).

If a test installation's DATABASE_URL pointed to production, it would take half of all steps and send them to its own
sandbox. So the database stores the settings that the desk uses for calls (the row IN_FORCE). A process with other
values sends nothing, and its row lists the settings that differ. The watchdog checks every 15 s, so steps need no
check.

Web processes have rows too, but only their profile of partners is compared. Web processes with another profile accept
no order, because they would read BBOSS's messages differently. They check at most once in 5 s.
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

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline
from integrations.models import HEARTBEAT_LIMIT, DeskProcess
from orders.books.books import BooksSilentError
from orders.incidents.desk_incidents import close_desk_incident, open_desk_incident
from orders.restore.detect_restore import read_restore_state
from orders.sending.reread_answers import read_otherwise

logger = logging.getLogger(__name__)
OTHER_DESK = "other_desk"
IN_FORCE = "in force"
BEFORE = "DESK_CALLS_BEFORE"  # environment variable of a reloaded worker: the digest of the settings before the reload
PROFILE = "PARTNERS_FILE"
WEB_CHECKS_EVERY = 60.0  # seconds
REPEAT_SECONDS = 60.0
FRESH = 5.0  # seconds for which a web process relies on its last check of the profile
RELOAD_TIME = datetime.timedelta(seconds=15)  # so long the old web processes continue while the new ones load
UNREGISTER_SECONDS = 2.0  # seconds that the database may take when a web process ends
FORGOTTEN_AFTER = datetime.timedelta(days=1)
ANSWERS_NAMED = 10  # answers that are listed in a line of the log


@dataclass
class _Web:
    """The state of this web process's profile.

    `changed` is True after a reload with another profile, until that profile is in force. `was_in_force` is True once
    this process's profile was in force. `agreed_at` is the monotonic time of the last check without a difference.
    """

    changed: bool = False
    was_in_force: bool = False
    agreed_at: float = float("-inf")


web = _Web()


def calls_of_this_process() -> dict[str, str]:
    """Returns the addresses and identities that this process uses in calls, by setting. No value is secret: 32 bits of
    the hash of SECRET_KEY stand for SECRET_KEY."""
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
    """Returns the address without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}".lower()


def _fingerprint(key: str) -> str:
    return hashlib.sha256(f"desk {key}".encode()).hexdigest()[:8]


def digest() -> str:
    """Returns a short hash of `calls_of_this_process()`. A reload passes it to the process that replaces this
    process."""
    return hashlib.sha256(json.dumps(calls_of_this_process(), sort_keys=True).encode()).hexdigest()[:16]


def differing(theirs: dict[str, str]) -> list[str]:
    """Returns the settings that differ between this process and `theirs`. A key in SECRET_KEY_FALLBACKS counts as equal
    to SECRET_KEY."""
    mine = calls_of_this_process()
    keys = {_fingerprint(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)}
    same = {name for name in mine if theirs.get(name, mine[name]) == mine[name]}
    return [name for name in mine if name not in same and not (name == "SECRET_KEY" and theirs[name] in keys)]


def _empty_before_migrate(act: Callable[..., list]) -> Callable[..., list]:
    """Decorates a function so that it returns an empty list before `migrate` has created the table
    (docs/mechanisms/versions.md)."""

    @functools.wraps(act)
    def careful(*args, **kwargs) -> list:
        try:
            return act(*args, **kwargs)
        except (ProgrammingError, OperationalError) as error:
            if DeskProcess._meta.db_table not in str(error):
                raise
            return []

    return careful


@_empty_before_migrate
def register_process(name: str, *, before: str = "", changed: bool = False, works: bool = True) -> list[str]:
    """Stores a process's row when the process starts. Returns the settings that differ from the desk's. A process with
    a difference must take no step. Locks the row IN_FORCE.

    The process's values become the desk's in each of three cases:

    - The desk has no values yet.
    - A reload changed the values: `changed` is set, or the values differ from `before`, the digest of the values before
      the reload.
    - The database is not restored, and no other living process has other values.

    A web process (`works` is False) sets only the profile. Only the profile of other web processes is compared.
    """
    differs, taken = _enter(name, changed=changed or (bool(before) and before != digest()), works=works)
    if PROFILE in taken:
        log_changed_readings()
    return differs


@transaction.atomic
def _enter(name: str, *, changed: bool, works: bool) -> tuple[list[str], list[str]]:
    now, mine = timezone.now(), calls_of_this_process() if works else {PROFILE: calls_of_this_process()[PROFILE]}
    # Create the row first. Without a row there is no lock, and two processes that both start first could store
    # different values.
    DeskProcess.objects.get_or_create(name=IN_FORCE, defaults={"calls": mine, "seen_at": now})
    row = DeskProcess.objects.select_for_update(no_key=True).get(name=IN_FORCE)
    differs, taken = differing(row.calls), []
    own = [key for key in differs if key in mine]
    if own and (changed or not (read_restore_state().restored or _others(name, mine, now))):
        logger.warning("what this desk calls has changed: %s", ", ".join(own))
        differs, taken = [key for key in differs if key not in mine], own
    if not set(differs) & mine.keys() and row.calls | mine != row.calls:
        DeskProcess.objects.filter(name=IN_FORCE).update(calls=row.calls | mine, seen_at=now)
    _note_process(name, differs, works=works, now=now)
    return differs, taken


def _others(name: str, mine: dict[str, str], now: datetime.datetime) -> bool:
    """Returns True if another living process has other values. Compares only the profile of web processes, because they
    make no calls."""
    alive = _alive(now).exclude(name=name)
    counts = {True: mine.keys(), False: {PROFILE}}
    return any(counts[row.works] & set(differing(row.calls)) and not _was_killed_here(row) for row in alive)


def _alive(now: datetime.datetime) -> QuerySet[DeskProcess]:
    return DeskProcess.objects.exclude(name=IN_FORCE).filter(seen_at__gt=now - HEARTBEAT_LIMIT)


def log_changed_readings() -> None:
    """Logs the stored answers that have another meaning under the new profile in force (contract 7.2)."""
    try:
        rows = read_otherwise()
    except Exception as error:  # no error here may stop the process
        logger.warning("what answers mean by the profile in force now is not known: %s", error)
        return
    if rows:
        named = ", ".join(f"{row.order} {row.call} {row.was} -> {row.now}" for row in rows[:ANSWERS_NAMED])
        more = ", ..." if len(rows) > ANSWERS_NAMED else ""
        logger.warning(
            "by the profile in force now %s answers would read otherwise; `resume` and `resend` carry it out: %s%s",
            len(rows),
            named,
            more,
        )


def _was_killed_here(row: DeskProcess) -> bool:
    """Returns True if the process ran on this machine and has died without deleting its row."""
    if row.machine != _machine():
        return False
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # the process belongs to another user
        return False
    return False


def _machine() -> str:
    return socket.gethostname()[:64]


@_empty_before_migrate
def differences_from_desk(name: str, *, works: bool = True) -> list[str]:
    """Returns the settings that differ from the desk's, and stores them in the process's row."""
    differs = differs_now()
    _note_process(name, differs, works=works, now=timezone.now())
    return differs


@_empty_before_migrate
def differs_now() -> list[str]:
    row = DeskProcess.objects.filter(name=IN_FORCE).first()
    return differing(row.calls) if row else []


def why_other_desk() -> str:
    """Returns the reason why this process must not call partners, in English for logs. Empty if calls are allowed."""
    differs = differs_now()
    return f"the desk of this database calls others, by {', '.join(differs)}" if differs else ""


def refuse_other_desk() -> None:
    """Raises BooksSilentError if this process would call another big-data side than the desk."""
    if why := why_other_desk():
        raise BooksSilentError(why, code=OTHER_DESK)


def _note_process(name: str, differs: list[str], *, works: bool, now: datetime.datetime) -> None:
    said = {"calls": calls_of_this_process(), "differs": differs, "works": works, "seen_at": now}
    said |= {"machine": _machine(), "pid": os.getpid()}
    DeskProcess.objects.update_or_create(name=name, defaults=said)


def unregister_process(name: str) -> None:
    DeskProcess.objects.filter(name=name).delete()


def adopt(*, now: datetime.datetime) -> list[str]:
    """Stores this process's values as the desk's. Returns the settings that differed."""
    differs = differs_now()
    DeskProcess.objects.update_or_create(name=IN_FORCE, defaults={"calls": calls_of_this_process(), "seen_at": now})
    if PROFILE in differs:
        log_changed_readings()
    return differs


@_empty_before_migrate
def machines_with_another_profile() -> list[str]:
    """Returns the names and machines of living processes with another profile than this process. Includes the desk if
    its profile differs. `resume` reads answers with the profile, so it requires equal profiles."""
    mine = calls_of_this_process()[PROFILE]
    rows = DeskProcess.objects.filter(Q(name=IN_FORCE) | Q(seen_at__gt=timezone.now() - HEARTBEAT_LIMIT))
    others = [row for row in rows.order_by("name") if row.calls.get(PROFILE, mine) != mine]
    return [
        f"{row.name} ({row.machine})" if row.machine else "the desk of this database"
        for row in others
        if not _was_killed_here(row)
    ]


def has_other_profile() -> bool:
    """Returns True if this web process's profile is not the desk's, so that it must accept no order (contract 7.1).

    If the profiles are equal, they are not compared again for FRESH seconds. While a reload replaces the web
    processes, the old processes continue with the old profile for RELOAD_TIME.
    """
    if web.changed or time.monotonic() - web.agreed_at < FRESH:
        return False
    other = bool(_other_profile())
    web.agreed_at = float("-inf") if other else time.monotonic()
    return other


@_empty_before_migrate
def _other_profile() -> list[str]:
    mine = calls_of_this_process()[PROFILE]
    row = DeskProcess.objects.filter(name=IN_FORCE).first()
    if row is None or row.calls.get(PROFILE, mine) == mine:
        web.was_in_force = True
        return []
    return [] if web.was_in_force and timezone.now() - row.seen_at < RELOAD_TIME else [PROFILE]


@_empty_before_migrate
def other_desks(*, now: datetime.datetime) -> list[DeskProcess]:
    """Returns the living processes that differ from the desk."""
    return [row for row in _alive(now).order_by("name") if row.differs]


def open_incident(differs: list[str], *, now: datetime.datetime) -> None:
    """Opens or updates the incident OTHER_DESK of this machine."""
    params = {"machine": _machine(), "settings": ", ".join(differs)}
    open_desk_incident(OTHER_DESK, params=params, now=now)


def watch_other_desks(*, now: datetime.datetime) -> None:
    """Closes the incident once no living process differs, and deletes rows of processes last seen a day ago. The sweep
    calls it each minute. A process that differs opens the incident itself."""
    DeskProcess.objects.exclude(name=IN_FORCE).filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    if not other_desks(now=now):
        close_desk_incident(OTHER_DESK, now=now)


def watch_web() -> None:
    """Runs in a thread of a web process until the process ends. Stores the process's row, renews it each minute, and
    opens an incident for a difference.

    The first check only logs a difference, because a reload of all services reloads them one after another.
    """
    name, entered = _web_name(), False
    while True:
        try:
            with database_deadline(CHECK_SECONDS):
                if not entered:
                    differs = register_process(name, changed=web.changed, works=False)
                    entered, web.changed = True, False
                    if differs:
                        logger.error("this process differs from the desk of this database, by %s", ", ".join(differs))
                elif differs := differences_from_desk(name, works=False):
                    open_incident(differs, now=timezone.now())
        except Exception as error:  # no error here may end the loop
            logger.warning("whether this process calls whom the desk calls is not known: %s", error)
        finally:
            connections.close_all()
        time.sleep(WEB_CHECKS_EVERY)


def unregister_web() -> None:
    """Deletes the row of this web process at its end. Logs errors and raises none."""
    try:
        with database_deadline(UNREGISTER_SECONDS):
            unregister_process(_web_name())
    except Exception as error:  # no error may stop the exit
        logger.warning("the end of this process is not noted: %s", error)
    finally:
        connections.close_all()


def _web_name() -> str:
    return f"web {socket.gethostname()[:40]}-{os.getpid()}"
