"""Creates copies of this checkout. A test changes such a copy as a maintainer would."""

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import cache_from_source
from pathlib import Path

from tests.harness.children import ROOT


def copy_checkout(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """Copies all files that git tracks or would add, in their current state. Leaves out files below `without`.

    Copies compiled Python files too. Otherwise compiling would take half of the start of the copy's first process.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *(f":!{name}" for name in without)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            _copy(ROOT / name, folder / name)
            if name.endswith(".py") and (compiled := Path(cache_from_source(ROOT / name))).is_file():
                _copy(compiled, Path(cache_from_source(folder / name)))
    return folder


def _copy(file: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    # copy2 keeps the file's time. By this time, Python checks whether a compiled file is up to date.
    shutil.copy2(file, copy)


def change(checkout: Path, name: str, old: str, new: str) -> None:
    """Replaces a text that must occur exactly once. Raises AssertionError otherwise.

    Without this check, a change might have no effect, and the test would prove nothing.
    """
    file = checkout / name
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times: the test that changes it is behind it"
    file.write_text(text.replace(old, new), encoding="utf-8")
