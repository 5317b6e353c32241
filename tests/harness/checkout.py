"""Copies of this checkout, which a test changes as a maintainer would."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.harness.children import ROOT


def copy_checkout(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """The files that git knows or would know, as they are in the folder now, but for those below `without`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *(f":!{name}" for name in without)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def change(checkout: Path, name: str, old: str, new: str) -> None:
    """Replaces a text that must occur once: a change that changes nothing would prove nothing."""
    file = checkout / name
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times: the test that changes it is behind it"
    file.write_text(text.replace(old, new), encoding="utf-8")
