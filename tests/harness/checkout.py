"""Copies of this checkout, which a test changes as a maintainer would."""

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import cache_from_source
from pathlib import Path

from tests.harness.children import ROOT


def copy_checkout(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """The files that git knows or would know, as they are in the folder now, but for those below `without`.

    What Python has compiled of them comes too: the copy's first process would take half its start for that otherwise.
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
    shutil.copy2(file, copy)  # with its time, by which Python knows what is compiled


def change(checkout: Path, name: str, old: str, new: str) -> None:
    """Replaces a text that must occur once: a change that changes nothing would prove nothing."""
    file = checkout / name
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times: the test that changes it is behind it"
    file.write_text(text.replace(old, new), encoding="utf-8")
