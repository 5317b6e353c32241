"""The memory that this process uses."""

import gc
import os
import pathlib

_STATM = pathlib.Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def held() -> int:
    """Returns the bytes in memory after garbage collection, or 0 if /proc does not have the number."""
    gc.collect()
    return int(_STATM.read_text().split()[1]) * _PAGE if _STATM.exists() else 0


def objects() -> int:
    """Returns the number of objects that the garbage collector knows, after it has run."""
    gc.collect()
    return len(gc.get_objects())
