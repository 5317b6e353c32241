"""Another desk on the same database: what each process would call is compared through it (contract 3.9, 11).

A desk for tests whose DATABASE_URL leads to production would take half of all steps and send them to its own sandbox.
So the database keeps what its desk calls (the row IN_FORCE). A process with other values sends nothing, and a row of
its own says which values differ. The watchdog looks each 15 s, so no step and no call of BBOSS pays for it.
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
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connections, transaction
from django.utils import timezone

from integrations.database_deadline import LOOK, database_deadline
from integrations.models import HEARTBEAT_LIMIT, DeskProcess
from orders.books import BooksSilentError
from orders.restored_guard import read_restore_state
from orders.services.desk_incidents import close_desk_incident, open_desk_incident

logger = logging.getLogger(__name__)
OTHER_DESK = "other_desk"
IN_FORCE = "in force"
BEFORE = "DESK_CALLS_BEFORE"  # in the environment of a worker that was reloaded: what it called before
WEB_LOOKS_EVERY = 60.0  # seconds
SAYS_AGAIN = 60.0


def calls() -> dict[str, str]:
    """What this process would call, and as whom, by setting. No secret: of SECRET_KEY 32 bits of its hash."""
    return {
        "BPM_BASE_URL": _address(settings.BPM_BASE_URL),
        "BIGDATA_BASE_URL": _address(settings.BIGDATA_BASE_URL),
        "BBOSS_DOMAIN": settings.BBOSS_DOMAIN,
        "BBOSS_ROUTE_VALUE": settings.BBOSS_ROUTE_VALUE,
        "BBOSS_ENV_FLAG": settings.BBOSS_ENV_FLAG,
        "SECRET_KEY": _fingerprint(settings.SECRET_KEY),
        "PARTNERS_FILE": settings.PARTNERS.digest[:16],
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
@transaction.atomic
def enter(name: str, *, before: str = "") -> list[str]:
    """Notes a worker's start. Returns the settings in which it differs from the desk: then it must take no step.

    Its values become the desk's where there is none yet; after a reload that changed them (`before`: the digest of what
    it called before); and where no other worker with other values is alive, except in a restored database.
    """
    now = timezone.now()
    DeskProcess.objects.get_or_create(name=IN_FORCE, defaults={"calls": calls(), "seen_at": now})
    row = DeskProcess.objects.select_for_update(no_key=True).get(name=IN_FORCE)
    differs = differing(row.calls)
    changed = bool(before) and before != digest()
    if differs and (changed or not (read_restore_state().restored or _others(name, now))):
        logger.warning("what this desk calls has changed: %s", ", ".join(differs))
        differs = []
    if not differs and row.calls != calls():
        DeskProcess.objects.filter(name=IN_FORCE).update(calls=calls(), seen_at=now)
    _note(name, differs, works=True, now=now)
    return differs


def _others(name: str, now: datetime.datetime) -> bool:
    """Whether another worker, which would call others, is alive."""
    alive = DeskProcess.objects.filter(works=True, seen_at__gt=now - HEARTBEAT_LIMIT).exclude(name=name)
    return any(differing(row.calls) and not _was_killed_here(row) for row in alive)


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
    """The settings in which this process differs from the desk, which its row says too. A web process has a row only
    then."""
    differs = differs_now()
    if works or differs:
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


@transaction.atomic
def adopt(*, now: datetime.datetime) -> list[str]:
    """Makes what this process would call that of the desk. Returns the settings that differed."""
    differs = differs_now()
    DeskProcess.objects.update_or_create(name=IN_FORCE, defaults={"calls": calls(), "seen_at": now})
    return differs


@_if_made
def other_desks(*, now: datetime.datetime) -> list[DeskProcess]:
    """The living processes that differ from the desk."""
    rows = DeskProcess.objects.exclude(name=IN_FORCE).filter(seen_at__gt=now - HEARTBEAT_LIMIT)
    return [row for row in rows.order_by("name") if row.differs]


def say(differs: list[str], *, now: datetime.datetime) -> None:
    """Opens the incident, or brings it up to date."""
    params = {"machine": _machine(), "settings": ", ".join(differs)}
    open_desk_incident(OTHER_DESK, params=params, now=now)


def watch_other_desks(*, now: datetime.datetime) -> None:
    """Ends the incident once no living process differs. The sweep calls it each minute; who differs opens it."""
    if not other_desks(now=now):
        close_desk_incident(OTHER_DESK, now=now)


def watch_web() -> None:
    """Runs in a thread of a web process, for good: says it where that differs, which takes a minute at least. A reload
    of all services changes them one after the other."""
    name = f"web {socket.gethostname()[:40]}-{os.getpid()}"
    while True:
        time.sleep(WEB_LOOKS_EVERY)
        try:
            with database_deadline(LOOK):
                if differs := look(name, works=False):
                    say(differs, now=timezone.now())
        except Exception as error:  # whatever it is, the next look follows
            logger.warning("whether this process calls whom the desk calls is not known: %s", error)
        finally:
            connections.close_all()
