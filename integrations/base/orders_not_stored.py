"""Counts this machine's answers 20000 of the last ten minutes: neither the order nor its message was stored.

Each is a byte of a file in STATE_DIR, named by its ten seconds. So processes count together without a lock, and a kill
loses nothing. An answer that was stored costs nothing.
"""

import contextlib
import time

from django.conf import settings

FOLDER = settings.STATE_DIR.absolute() / "not-stored"
WINDOW_SECONDS, FILE_SECONDS = 600, 10  # seconds: that count, and of a file


def count_order_not_stored() -> None:
    """Counts one, and removes old files. A failed write is not counted: the answer to the call comes first."""
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
    """Returns the `number` of such answers within `minutes`, and the seconds since the last one (`seconds_ago`, about).
    None if there was none."""
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
    """Returns True if a file is of the last ten minutes. False for one of the future, which a clock put back leaves
    behind."""
    return now - WINDOW_SECONDS < (int(name) + 1) * FILE_SECONDS <= now + FILE_SECONDS
