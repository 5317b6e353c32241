"""`make test`: which tests each of its runs executes, and that a run leaves nothing behind."""

import sys
from types import SimpleNamespace

import pytest

from tests import conftest, databases, run
from tests.harness.proc import processes_of
from tests.harness.waiting import until
from tests.sampling import sample, without_whole

ALONE = {"DESK_TEST_SHARED": "1"}
BESIDE = ALONE | {"DESK_TEST_POSTGRESQL": "1"}
POSTGRESQL = BESIDE | {"DESK_TEST_DATABASE_URL": "postgres://127.0.0.1/x"}
WHOLE = {"DESK_TEST_WHOLE": "1"}
LISTS = ("ANY_DATABASE", "DATABASE_FIRST", "ON_POSTGRESQL_ALONE", "WAITING", "LONGEST")


def plays(path: str, environment: dict) -> bool:
    return not conftest.left_out(path, environment)


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_name_files_that_are_there(name):
    files = [str(file.relative_to(conftest.HERE)) for file in conftest.HERE.rglob("test_*.py")]
    assert [start for start in getattr(conftest, name) if not any(file.startswith(start) for file in files)] == []


def item(name, *marks, database):
    """Returns a stand-in for a pytest item, with the attributes that `sample` reads."""
    return SimpleNamespace(
        nodeid=name,
        originalname=name.partition("[")[0],
        parent=SimpleNamespace(nodeid="tests/test_x.py"),
        fixturenames=["db"] if database else [],
        get_closest_marker=lambda mark: True if mark in marks else None,
    )


def test_of_like_tests_that_use_the_database_a_sample_holds_the_first():
    pages = [item(f"page[{role}]", database=True) for role in "abcd"]
    texts = [item(f"text[{number}]", database=False) for number in range(4)]
    alone, long = item("alone", database=True), item("long", "whole", database=False)
    marked = [item(f"cheap[{role}]", *(["each"] if role in "bd" else []), database=True) for role in "abcd"]
    items, few = [*pages, *texts, alone, long, *marked], [marked[0], marked[1], marked[3]]
    assert list(sample(items)) == [pages[0], *texts, alone, long, *few]
    assert list(sample(without_whole(items))) == [pages[0], *texts, alone, *few]


def test_whole_runs_play_a_sample_on_postgresql_alone():
    assert [conftest.is_sampled(one | WHOLE) for one in (ALONE, BESIDE, POSTGRESQL)] == [False, False, True]
    assert not conftest.is_sampled({"DESK_TEST_DATABASE_URL": "postgres://127.0.0.1/x"})


@pytest.mark.parametrize(
    "path, sqlite, postgresql",
    [
        ("database/test_indexes.py", True, True),
        ("flows/test_stuck.py", True, False),
        ("admin/test_walk.py", True, False),
        ("processes/test_kills.py", False, False),
        ("flows/test_odd_texts.py", False, False),
    ],
)
def test_a_short_run(path, sqlite, postgresql):
    assert plays(path, ALONE) == plays(path, BESIDE) == sqlite
    assert plays(path, POSTGRESQL) == postgresql


def test_what_mostly_waits_is_played_once():
    for path in ("partners/test_http.py", "races/test_intake.py"):
        assert plays(path, ALONE)
        assert (plays(path, BESIDE), plays(path, POSTGRESQL)) == (False, True)


def test_a_whole_run_plays_every_file():
    for file in conftest.HERE.rglob("test_*.py"):
        path = str(file.relative_to(conftest.HERE))
        assert plays(path, ALONE | WHOLE)
        assert plays(path, BESIDE | WHOLE) or plays(path, POSTGRESQL | WHOLE)
        assert plays(path, POSTGRESQL | WHOLE) or path.startswith(conftest.ANY_DATABASE)


def test_what_is_named_is_played():
    assert plays("processes/test_kills.py", {"DESK_TEST_DATABASE_URL": "postgres://127.0.0.1/x"})


CHILD = """
import pathlib, subprocess, sys, time
from tests import databases
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
(databases.folder() / f"{databases.own_name()}.sqlite3-wal").touch()
pathlib.Path(sys.argv[-1]).write_text(str(child.pid))
time.sleep(600)
"""


@pytest.mark.whole
def test_a_run_that_is_ended_leaves_no_process_and_no_database(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "PYTEST", [sys.executable, "-c", CHILD])
    started = tmp_path / "started"
    one = run.Run("SQLite", [str(started)])
    try:
        until(lambda: started.exists() and started.read_text())
        assert {row.pid for row in processes_of(one.mark)} == {one.process.pid, int(started.read_text())}
        assert left_in_memory(one) != []
    finally:
        one.end()
    until(lambda: not processes_of(one.mark))
    assert left_in_memory(one) == []
    assert one.verdict() == "SQLite: stopped before its end"


def left_in_memory(one):
    return [*databases.folder().glob(f"{databases.beginning(one.run)}*")]
