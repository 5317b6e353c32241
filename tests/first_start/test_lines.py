"""Tests README's ten lines: there are ten, and each text that the walk replaces occurs in them or in deploy/."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from project import __version__
from tests.first_start.lines import ROOT, Place, settings_to_fill_in, ten_lines, upgrade_lines, way_back_lines
from tests.first_start.upgrade import NEXT, make_repository, publish_next_version

PLACE = Place(Path("/walk"), Path("/checkout"), 1, 2, 3, 4, 5, 6, "walked", "postgres://walked@127.0.0.1/walked")


def test_there_are_ten():
    assert len(ten_lines()) == 10


@pytest.mark.whole
def test_the_first_takes_this_version_and_that_of_an_upgrade_the_next(tmp_path):
    """The first line clones this version, and the second line of an upgrade clones the next version.

    The repository has only what was committed, and no tag of the walk.
    """
    place = replace(PLACE, folder=tmp_path, repository=make_repository(tmp_path))
    (tmp_path / "srv/ibs").mkdir(parents=True)
    for line, version in ((ten_lines()[0], __version__), (upgrade_lines()[1], NEXT)):
        subprocess.run(["bash", "-c", place.put_in(line)], check=True, capture_output=True, timeout=120)
        code = tmp_path / "srv/ibs/releases" / version / "project" / "__init__.py"
        assert f'__version__ = "{version}"' in code.read_text()
        if version == __version__:
            publish_next_version(place.repository)


def test_each_substitution_replaces_something():
    deploy = [file.read_text(encoding="utf-8") for file in (ROOT / "deploy").iterdir() if file.is_file()]
    text = "\n".join([*ten_lines(), *settings_to_fill_in().values(), *deploy])
    assert [name for name in PLACE.substitutions() if name not in text] == []


def test_each_shell_block_of_an_upgrade_is_found():
    assert len(upgrade_lines()) == 8
    assert upgrade_lines()[4].startswith(f"{upgrade_lines()[0].rstrip(';')}; desk check")
    assert [line.split()[0] for line in way_back_lines()] == ["systemctl", "systemctl"]


def test_they_are_put_in_once():
    assert PLACE.put_in("install -d /srv/ibs https://ibs.example.com ibs.example.com") == (
        "install -d /walk/srv/ibs https://localhost:2 localhost"
    )
