"""When a process starts, records the settings that have changed since this machine's last start (contract 5, `audit`).

For a secret, only the fact that it is set is stored. No hash is stored, because a weak secret could be guessed from
its hash.
"""

import logging
import socket

from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from orders.history.trail_writes import note_act
from orders.models import Timeline, TrailEntry
from project.base.settings_table import SETTINGS

SET = "***"
logger = logging.getLogger(__name__)


def note_settings() -> None:
    """Writes a row if a setting differs from this machine's newest row.

    If the database is unavailable, the start continues, and the next start writes the row.
    """
    try:
        if _changed(machine := socket.gethostname()[:200]):
            _note_changes(machine)
    except Error as error:
        logger.warning("the settings of this start are not in the trail: %s", error)


@transaction.atomic
def _note_changes(machine: str) -> None:
    # Lock this row, so that processes that start together don't write the same change.
    list(Timeline.objects.select_for_update(no_key=True).order_by("-pk")[:1])
    if change := _changed(machine):
        note_act(TrailEntry.Code.SETTINGS, by="system", now=timezone.now(), about=machine, address=machine, **change)


def changed_since_start() -> list[str]:
    """Returns the names of settings that differ from this machine's last start. Returns no names if no start is
    recorded."""
    machine = socket.gethostname()[:200]
    return sorted(_changed(machine).get("to", ())) if _last(machine) else []


def _last(machine: str) -> TrailEntry | None:
    return TrailEntry.objects.filter(code=TrailEntry.Code.SETTINGS, about=machine).order_by("-pk").first()


def _changed(machine: str) -> dict:
    """Returns the changed settings with their values `from` and `to`, and `all` settings in force. If nothing has
    changed, returns an empty dictionary.
    """
    new = in_force()
    row = _last(machine)
    old = row.data["all"] if row else {}
    names = sorted(name for name in {**old, **new} if old.get(name) != new.get(name))
    before, after = ({name: values.get(name, "") for name in names} for values in (old, new))
    return {"from": before, "to": after, "all": new} if names else {}


def in_force() -> dict[str, str]:
    """Returns the settings that the site has set, by name, as `manage.py settings` shows them."""
    environment = settings.ENVIRONMENT
    found = {row.name: row.shown(given) for row in SETTINGS if (given := environment.given(row.name))}
    return found | {name: SET for name, given in environment.free().items() if given}
