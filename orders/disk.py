"""What must be on the disk before anybody is told that it is kept."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Waits until a folder's entries are on the disk; a power failure may undo a rename until then. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
