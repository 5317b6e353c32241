"""Counts this machine's responses 20000 of the last ten minutes, for which neither the order nor its message was
stored.

Each response is a byte in a file in STATE_DIR; there is a file for each ten seconds, with the time in its name. So
processes count together without a lock, and a kill loses no count. Responses for stored orders need no counting.
"""

import contextlib
import time

from django.conf import settings

FOLDER = settings.STATE_DIR.absolute() / "not-stored"
WINDOW_SECONDS, FILE_SECONDS = 600, 10  # the seconds that are counted, and those of one file


def count_order_not_stored() -> None:
    """Counts one response, and removes old files. Ignores a failed write: the response has priority."""
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
    """Returns the `number` of such responses within `minutes`, and about how many seconds ago the last one was
    (`seconds_ago`). None if there was none."""
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
    """Returns True if the file is from the last ten minutes. False for a file from the future, left after a clock was
    put back."""
    return now - WINDOW_SECONDS < (int(name) + 1) * FILE_SECONDS <= now + FILE_SECONDS
