"""The database that each run copies: made again when a migration changed, once, however many runs ask for it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from tests import template


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """One app with one migration, which imports one module."""
    folder = tmp_path / "app" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").write_text("from app.rows import ROWS\n")
    (folder.parent / "rows.py").write_text("ROWS = 1\n")
    monkeypatch.setattr(template, "ROOT", tmp_path)
    monkeypatch.setattr(template, "CACHE", tmp_path / ".pytest_cache")
    monkeypatch.setattr(template.apps, "get_app_configs", lambda: [SimpleNamespace(path=folder.parent)])
    return tmp_path


@pytest.mark.parametrize("file", ["app/migrations/0001_initial.py", "app/migrations/0002_next.py", "app/rows.py"])
def test_a_change_of_migrations_or_of_what_they_import_is_another_state(checkout, file):
    before = template.state_of_migrations()
    with (checkout / file).open("a") as text:
        text.write("# more\n")
    assert template.state_of_migrations() != before


def test_another_version_of_django_is_another_state(checkout, monkeypatch):
    before = template.state_of_migrations()
    monkeypatch.setattr(template.django, "__version__", "9.9")
    assert template.state_of_migrations() != before


def test_runs_at_the_same_time_make_it_once_and_remove_the_old_one(checkout, monkeypatch):
    made, together = [], Barrier(4)
    (checkout / ".pytest_cache").mkdir()
    (checkout / ".pytest_cache" / "template-old.sqlite3").touch()

    def migrate(name):
        made.append(name)
        Path(name).write_text("rows")

    def copy(number):
        together.wait(60)
        template.copy_file(f"{checkout / str(number)}")
        return (checkout / str(number)).read_text()

    monkeypatch.setattr(template, "migrate", migrate)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(copy, range(4))) == ["rows"] * 4
    assert len(made) == 1
    left = sorted(file.name for file in (checkout / ".pytest_cache").iterdir())
    assert left == [f"template-{template.state_of_migrations()}.sqlite3", "template.lock"]
