"""Counts the orders that this machine refused with 20000 in the last ten minutes, without storing their messages.

Each such response adds a byte to a file in STATE_DIR. Each file covers ten seconds and is named after that time. So
processes count together without a lock, and a kill loses no count. Orders with stored messages need no counting.
"""

import contextlib
import time

from django.conf import settings

FOLDER = settings.STATE_DIR.absolute() / "not-stored"
WINDOW_SECONDS, FILE_SECONDS = 600, 10  # the seconds that are counted, and the seconds of one file


def count_order_not_stored() -> None:
    """Counts one response, and removes old files. Ignores a failed write, because the response must be sent anyway."""
    now = int(time.time())
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / str(now // FILE_SECONDS)
        is_new = not file.exists()
        with file.open("ab") as handle:
            handle.write(b".")
        if is_new:
            for name in _counter_files():
                if not _counts(name, now):
                    (FOLDER / name).unlink(missing_ok=True)


def orders_not_stored_lately() -> dict | None:
    """Returns the `number` of such responses in the last `minutes`, and the age of the last response in seconds
    (`seconds_ago`), exact to about ten seconds. Returns None if there was no such response."""
    now, sizes = int(time.time()), {}
    with contextlib.suppress(OSError):
        sizes = {int(name): (FOLDER / name).stat().st_size for name in _counter_files() if _counts(name, now)}
    if not sizes:
        return None
    ago = max(now - max(sizes) * FILE_SECONDS - FILE_SECONDS, 0)
    return {"number": sum(sizes.values()), "minutes": WINDOW_SECONDS // 60, "seconds_ago": ago}


def _counter_files() -> list[str]:
    return [file.name for file in FOLDER.iterdir() if file.name.isdecimal()]


def _counts(name: str, now: int) -> bool:
    """Returns True if the file is from the last ten minutes. Ignores files with a later time, which remain after a
    clock was set back."""
    return now - WINDOW_SECONDS < (int(name) + 1) * FILE_SECONDS <= now + FILE_SECONDS
