"""The template database that each run copies is made again after a change of the migrations. It is made once, however
many runs ask for it.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests import template


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of one app with one migration, which imports one module."""
    folder = tmp_path / "app" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").write_text("from app.rows import ROWS\n")
    (folder.parent / "rows.py").write_text("ROWS = 1\n")
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    monkeypatch.setattr(template, "CACHE", tmp_path / ".pytest_cache")
    return tmp_path


MIGRATIONS = ["app/migrations/0001_initial.py", "app/migrations/0002_next.py"]


@pytest.mark.parametrize("file", [*MIGRATIONS, "app/rows.py", "requirements.txt"])
def test_a_change_of_migrations_of_what_they_import_or_of_libraries_is_another_state(checkout, file):
    before = template.state_of_migrations(checkout)
    with (checkout / file).open("a") as text:
        text.write("# more\n")
    assert template.state_of_migrations(checkout) != before


def test_runs_at_the_same_time_make_it_once_and_remove_the_oldest(checkout, monkeypatch):
    made, together = [], Barrier(4)
    cache = checkout / ".pytest_cache"
    cache.mkdir()
    for age in range(template.KEPT):
        (cache / f"template-{age}.sqlite3").touch()
        os.utime(cache / f"template-{age}.sqlite3", (0, 1_000_000 - age))

    def migrate(url, root):
        made.append(url)
        Path(url.removeprefix("sqlite:///")).write_text("rows")

    def copy(number):
        together.wait(60)
        template.copy_file(checkout / str(number), checkout)
        return (checkout / str(number)).read_text()

    monkeypatch.setattr(template, "migrate", migrate)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(copy, range(4))) == ["rows"] * 4
    assert len(made) == 1
    kept = [f"template-{age}.sqlite3" for age in range(template.KEPT - 1)]
    new = f"template-{template.state_of_migrations(checkout)}.sqlite3"
    assert {file.name for file in cache.iterdir()} == {*kept, new, "template.lock"}
