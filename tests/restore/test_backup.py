"""The commands `backup` and `restore` on real databases (contract section 5)."""

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.harness.commands import Commands
from tests.template import copy_database, copy_file

ROOT = Path(__file__).resolve().parent.parent.parent
NUMBERS = "numbers-entered-by-hand.txt"
FILE = "100T1_50004020027_20230920000000.xlsx"


class Site:
    """A desk's database and folders. Runs `manage.py` with them."""

    def __init__(self, folder: Path, postgres: str):
        self.folder, self.postgres, self.made = folder, postgres, []
        self.commands: dict[tuple, Commands] = {}
        self.state_dir, self.attachments = folder / "state", folder / "attachments"
        self.attachments.mkdir()
        self.url = self.new_database()

    def new_database(self, *, migrated: bool = False) -> str:
        """Creates a database without rows of its own, and sets DATABASE_URL to it. Without `migrated` the database has
        no tables."""
        name = f"desk_backup_{secrets.token_hex(4)}"
        self.url = f"sqlite:///{self.folder / name}.sqlite3"
        if self.postgres:
            if migrated:
                copy_database(self.postgres, name)
            else:
                self._run_on_server(f"CREATE DATABASE {name}")
            self.made.append(name)
            self.url = self.postgres.rsplit("/", 1)[0] + "/" + name
        elif migrated:
            copy_file(self.url.removeprefix("sqlite:///"))
        return self.url

    def close(self) -> None:
        for one in self.commands.values():
            one.close()
        for name in self.made:
            self._run_on_server(f"DROP DATABASE {name} WITH (FORCE)")

    def _run_on_server(self, statement: str) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": self.url,
            "DEBUG": "true",
            "STATE_DIR": str(self.state_dir),
            "ATTACHMENT_DIR": str(self.attachments),
            "LOG_LEVEL": "ERROR",
        }

    def manage(self, *words: object, code: int = 0, **environment: str) -> str:
        """Runs a command, and returns its output and error lines together."""
        given = [str(word) for word in words]
        ended = self._run_anew(given, environment) if environment else self._commands().run(*given)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def _run_anew(self, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=os.environ | self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _commands(self) -> Commands:
        """Returns the `Commands` for the present environment. Besides the first `Commands`, only the latest is
        kept."""
        known = tuple(self.environment.values())
        if known not in self.commands:
            for other in list(self.commands)[1:]:
                self.commands.pop(other).close()
            self.commands[known] = Commands(os.environ | self.environment, ROOT)
        return self.commands[known]

    def rows(self, statement: str) -> list[tuple]:
        if self.postgres:
            with psycopg.connect(self.url, autocommit=True) as connection:
                return connection.execute(statement).fetchall()
        with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchall()


FILL = """
from django.utils import timezone
from orders.history.order_locks_and_events import add_event
for n in range(20):
    add_event(None, "note", by="command:test", now=timezone.now(), text="\\\\. ; 换行\\n\\t" * 3)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A site with some history, and a backup of the site in `backup`."""
    site = Site(tmp_path_factory.mktemp("site"), os.environ.get("DESK_TEST_DATABASE_URL", ""))
    site.new_database(migrated=True)
    site.manage("shell", "-c", FILL)
    (site.attachments / "deep").mkdir()
    (site.attachments / FILE).write_bytes(b"first")
    (site.attachments / NUMBERS).write_text("T1 2023-09-20T00:00:00+08:00 staff:li\n")
    (site.attachments / "deep" / "other.bin").write_bytes(os.urandom(3_000_000))
    (site.folder / "backup").mkdir(mode=0o755)  # the folder may exist if it is empty
    site.told = site.manage("backup", site.folder / "backup", "--by", "zhao")
    yield site
    site.close()


@pytest.fixture
def empty(filled):
    """The site with an empty database."""
    before = filled.url
    filled.new_database()
    yield filled
    filled.url = before


def test_the_backup_is_whole_and_its_owners_alone(filled):
    folder = filled.folder / "backup"
    facts = json.loads((folder / "manifest.json").read_text())
    assert (facts["newest_event"], facts["counts"]["orders_orderevent"]) == (20, 20)
    assert f"attachments/{FILE}" in facts["files"]
    assert facts["database"] == filled.rows("SELECT name FROM orders_timeline")[0][0]
    assert facts["made_at"].endswith("+08:00")
    assert folder.stat().st_mode & 0o077 == 0
    assert "up to event 20, 3 attachments" in filled.told


def test_status_tells_of_it(filled):
    told = json.loads(filled.manage("status", "--json", code=1).partition("\nCommandError")[0])
    assert told["last_backup"]["folder"] == str(filled.folder / "backup")


def test_it_goes_back_into_an_empty_database_and_counts_as_restored(empty):
    (empty.attachments / FILE).write_bytes(b"better")
    (empty.attachments / "deep" / "other.bin").unlink()
    numbers = empty.attachments / NUMBERS
    numbers.write_text("T2 2023-09-21T00:00:00+08:00 staff:li\n")
    told = empty.manage("restore", empty.folder / "backup")
    assert "up to event 20" in told
    assert [line.split()[0] for line in numbers.read_text().splitlines()] == ["T2", "T1"]
    assert "not in this database: 2 trials that were entered by hand" in told
    assert f"left as they are, since they differ from the backup's: {FILE}" in told
    assert (empty.attachments / FILE).read_bytes() == b"better"
    assert (empty.attachments / "deep" / "other.bin").stat().st_size == 3_000_000
    assert empty.rows("SELECT COUNT(*) FROM orders_orderevent WHERE kind = 'note'") == [(20,)]
    wrong = empty.manage("status", code=1)
    assert "wrong: the database was restored" in wrong
    assert str(empty.folder / "backup") in wrong
    assert "sends again" in empty.manage("restored", "--reason", "checked")
    assert "restored" not in empty.manage("status", code=1).partition("\n")[0]
    empty.manage("migrate", "--check")
    empty.manage("shell", "-c", FILL)
    assert empty.rows("SELECT COUNT(*) FROM orders_orderevent WHERE kind = 'note'") == [(40,)]


def test_the_profile_of_partners_goes_along(empty, tmp_path):
    profile, other = tmp_path / "theirs.toml", tmp_path / "other.toml"
    profile.write_text('[bpm]\nflow = "省侧"\n')
    other.write_text('[bpm]\nflow = "b"\n')
    folder = tmp_path / "backup"
    empty.new_database(migrated=True)
    assert ", the profile of partners, " in empty.manage("backup", folder, PARTNERS_FILE=str(profile))
    assert (folder / "partners.toml").read_bytes() == profile.read_bytes()
    empty.new_database()
    state = tmp_path / "state"
    told = empty.manage("restore", folder, PARTNERS_FILE=str(other), STATE_DIR=str(state))
    assert f"lies in {state}/partners.toml: PARTNERS_FILE is another one and stays; decide" in told
    assert (state / "partners.toml").read_bytes() == profile.read_bytes()
    assert other.read_text() == '[bpm]\nflow = "b"\n'
    empty.new_database()
    (state / "partners.toml").write_text("")
    told = empty.manage("restore", folder, STATE_DIR=str(state))
    assert "left as they are, since they differ from the backup's: partners.toml" in told
    empty.new_database()
    told = empty.manage("restore", folder, PARTNERS_FILE=str(profile), STATE_DIR=str(tmp_path / "same"))
    assert "partners.toml" not in told


def test_another_machine_learns_it_from_the_database(empty, tmp_path):
    empty.manage("restore", empty.folder / "backup", STATE_DIR=str(tmp_path / "one"))
    assert "the database was restored" in empty.manage("status", code=1, STATE_DIR=str(tmp_path / "another"))


def test_a_database_or_a_folder_that_holds_something_is_refused(filled):
    assert "the database is not empty" in filled.manage("restore", filled.folder / "backup", code=1)
    assert "is not empty" in filled.manage("backup", filled.folder / "backup", code=1)
    assert "lies in ATTACHMENT_DIR" in filled.manage("backup", filled.attachments / "b", code=1)


def test_what_is_not_whole_is_refused(empty, tmp_path):
    assert "there is no such folder" in empty.manage("restore", tmp_path / "none", code=1)
    subprocess.run(["cp", "-r", empty.folder / "backup", tmp_path / "copy"], check=True)
    copy = tmp_path / "copy"
    (copy / "attachments" / FILE).write_bytes(b"FIRST")
    assert "has changed since it was made" in empty.manage("restore", copy, code=1)
    (copy / "attachments" / FILE).unlink()
    assert "is missing" in empty.manage("restore", copy, code=1)
    (copy / "manifest.json").write_text("[]")
    assert "is no manifest" in empty.manage("restore", copy, code=1)
    (copy / "manifest.json").unlink()
    assert "it has no manifest.json" in empty.manage("restore", copy, code=1)
    assert "CommandError: nothing was restored" in empty.manage("restore", tmp_path / "none", code=1)


def test_a_manifest_that_leads_out_is_refused(filled, tmp_path):
    subprocess.run(["cp", "-r", filled.folder / "backup", tmp_path / "copy"], check=True)
    file = tmp_path / "copy" / "manifest.json"
    facts = json.loads(file.read_text())
    facts["files"]["../../secret"] = {"bytes": 0, "sha256": ""}
    file.write_text(json.dumps(facts))
    assert "leads out of the backup" in filled.manage("restore", tmp_path / "copy", code=1)
