"""Free disk: below EXPORT_MIN_FREE_MB what staff can do later is refused, so that orders find room (contract 4).

An incident of the desk says so until there is room again. Intake never asks.
"""

import contextlib
import datetime
import shutil

from django.conf import settings
from django.utils import timezone

from orders.errors import NotAllowedError
from orders.services.incidents import keep_desk_incident, open_desk_incident

DISK_LOW = "disk_low"


def check_free_space() -> None:
    """Raises NotAllowedError while there is too little, and opens the incident."""
    if low := _low():
        open_desk_incident(DISK_LOW, params=low, now=timezone.now())
        raise NotAllowedError(DISK_LOW, **low)


def watch_free_space(*, now: datetime.datetime) -> None:
    """Opens or closes the incident. The sweep calls it each minute."""
    keep_desk_incident(DISK_LOW, _low(), now=now)


def _low() -> dict[str, int]:
    """How many MiB are free of how many that must be; empty while there is room, or where the disk can't be asked."""
    folder, least = settings.EXPORT_DIR, settings.EXPORT_MIN_FREE_MB
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free // 2**20
        return {"free": free, "least": least} if free < least else {}
    return {}
