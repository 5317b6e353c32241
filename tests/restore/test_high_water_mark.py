"""The mark by which a machine remembers a database, and the cases in which a database counts as restored (contract 5,
`restored`)."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from orders.history.order_locks_and_events import add_event
from orders.models import OrderEvent, Timeline
from orders.pauses.release_restored import open_restore
from orders.restore import detect_restore, mark_file
from orders.restore.mark_file import raise_mark
from orders.restore.newest_server import WAL_TIMELINE, is_behind
from project.database.postgresql import base
from tests.bboss_messages import accepted, post_order
from tests.flows.contents import trial


@pytest.fixture(autouse=True)
def state_dir(settings, tmp_path):
    settings.STATE_DIR = tmp_path / "state"
    mark_file.mark_writer = mark_file.MarkWriter()
    yield settings.STATE_DIR
    mark_file.mark_writer.flush()


@pytest.fixture
def named(transactional_db):
    """Returns the name that a migration gave the database."""
    detect_restore.read_restore_state()
    return Timeline.objects.get().name


def mark(name: str) -> int:
    mark_file.mark_writer.flush()
    return mark_file.read_mark(name)


def say(kind: str = "note") -> int:
    return add_event(None, kind, by="command:test", now=timezone.now()).pk


def test_a_number_never_goes_back():
    for number in (5, 3, 7):
        mark_file.raise_mark("x", number)
    assert mark_file.read_mark("x") == 7


@pytest.mark.whole
def test_a_process_that_is_forked_meanwhile_takes_no_lock_along():
    """A process that is forked while the mark is written does not inherit the lock of the mark. Otherwise nobody could
    write the mark while that child lives, and commands would never end."""
    mark_file.raise_mark("x", 1)
    over = threading.Event()

    def write():
        for number in range(2, 100_000):
            if over.is_set():
                return
            mark_file.mark_writer.pending["x"] = number
            mark_file.mark_writer.flush()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    children = [_fork_sleeper() for _ in range(40)]
    over.set()
    thread.join(5)
    try:
        assert subprocess.run(["flock", "--wait", "15", settings.STATE_DIR, "true"], check=False).returncode == 0
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _fork_sleeper() -> int:
    if child := os.fork():
        return child
    signal.pause()
    os._exit(0)


def test_what_was_never_seen_is_nothing(state_dir):
    assert mark_file.read_mark("x") == 0


def test_a_broken_file_is_told_and_is_nothing(state_dir, caplog):
    state_dir.mkdir()
    (state_dir / "x.newest-event").write_text("")
    assert mark_file.read_mark("x") == 0
    assert "can't be read" in caplog.text


def _raise_many(folder, start):
    from django.conf import settings

    settings.STATE_DIR = folder
    for number in range(start, 400, 4):
        mark_file.raise_mark("x", number)


def test_processes_of_one_machine_write_the_same_file(state_dir):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_raise_many, args=(state_dir, start)) for start in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert mark_file.read_mark("x") == 399
    assert [path.name for path in state_dir.iterdir()] == ["x.newest-event"]


def test_a_commit_is_remembered_and_a_rollback_is_not(named):
    number = say()
    assert mark(named) == number
    with transaction.atomic():
        say()
        transaction.set_rollback(True)
    assert mark(named) == number


def test_nothing_is_remembered_from_within_a_transaction(named):
    number = say()
    with transaction.atomic():
        say()
        detect_restore.read_restore_state()
        assert mark(named) == number


@pytest.mark.django_db(transaction=True)
def test_an_order_is_remembered_when_it_was_answered(named, client):
    assert accepted(post_order(client, trial("T1")))
    assert mark(named) == OrderEvent.objects.latest("pk").pk


def test_it_is_written_by_itself_within_a_second_or_so(named):
    numbers = [say() for _ in range(20)]
    thread = mark_file.mark_writer.thread
    thread.join(10)
    assert mark_file.read_mark(named) == numbers[-1]


def test_who_cant_write_goes_on_and_says_so_once(named, state_dir, caplog):
    mark_file.mark_writer.flush()
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.write_text("no folder")
    for _ in range(2):
        say()
        mark_file.mark_writer.flush()
    assert caplog.text.count("STATE_DIR can't be written") == 1


def test_it_is_asked_at_each_new_connection(named):
    mark_file.raise_mark(named, 10_000)
    connection.close()
    assert Timeline.objects.get().restored["seen"] == 10_000
    assert OrderEvent.objects.filter(kind="database_restored").count() == 1


def test_a_connection_whose_check_breaks_off_is_closed(monkeypatch):
    monkeypatch.setattr(detect_restore, "read_restore_state", Mock(side_effect=KeyboardInterrupt))
    opened = Mock(alias="default")
    with pytest.raises(KeyboardInterrupt):
        detect_restore.look_at_new_connection(connection=opened)
    assert opened.close.called


def test_what_others_commit_meanwhile_is_no_step_back(named):
    """An event may be committed between reading the mark and reading the database. The mark is read first, so the
    database does not seem to be older than the mark."""
    stop = threading.Event()

    def write():
        while not stop.is_set():
            say()
            mark_file.mark_writer.flush()
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(150):
            assert not detect_restore.read_restore_state().restored
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert open_restore() is None


def test_a_database_without_tables_is_left_alone(named):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_timeline RENAME TO orders_timeline_away")
    try:
        connection.close()
        assert OrderEvent.objects.count() == 0
        close_old_connections()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE orders_timeline_away RENAME TO orders_timeline")


def test_another_name_has_another_mark(named):
    mark_file.raise_mark("another", 10_000)
    assert not detect_restore.read_restore_state().restored


@pytest.mark.parametrize("flag, level", [("0", "WARNING"), ("1", "ERROR")])
def test_a_state_dir_that_cant_be_written_is_named_at_the_start(settings, state_dir, monkeypatch, flag, level):
    monkeypatch.setattr("project.checks.unwritable", lambda folder: "read-only" if folder == state_dir else "")
    settings.BBOSS_ENV_FLAG = flag
    (found,) = [message for message in run_checks(tags=["desk"]) if message.id == "desk.012"]
    assert "read-only" in found.msg
    assert (found.is_serious()) == (level == "ERROR")


def test_one_that_is_still_to_be_made_is_fine(settings, state_dir):
    assert mark_file.unwritable(state_dir) == ""
    assert not state_dir.exists()


@pytest.fixture
def two_servers(named):
    """One server has two names, and the connection goes to the first name."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server")
    given = connection.settings_dict
    connection.close()
    connection.settings_dict = given | {"HOST": "127.0.0.1,localhost", "PORT": f"{given['PORT'] or 5432}"}
    yield named
    connection.close()
    connection.settings_dict = given


@pytest.mark.parametrize("old, used", [({"127.0.0.1"}, "localhost"), ({"127.0.0.1", "localhost"}, "127.0.0.1")])
def test_an_old_primary_beside_the_new_one_is_not_used(two_servers, monkeypatch, old, used):
    """A server that is behind the mark is not used if another one is not behind. If all are behind, the database was
    restored: the first server is used, and the desk reports the restore."""
    monkeypatch.setattr(base, "is_behind", lambda server: server.info.host in old)
    connection.ensure_connection()
    assert connection.connection.info.host == used


def test_a_server_is_behind_by_its_events_or_its_timeline(two_servers):
    newest = say()
    server = connection.connection
    connection.set_autocommit(False)
    assert not is_behind(server)
    raise_mark(two_servers, newest + 1)
    assert is_behind(server)
    OrderEvent.objects.create(pk=newest + 1, kind="note", actor="x", at=timezone.now())
    connection.commit()
    assert not is_behind(server)
    raise_mark(two_servers, 99, WAL_TIMELINE)
    assert is_behind(server)
    connection.set_autocommit(True)
