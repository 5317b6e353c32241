"""Tests of the drills' own tools: faults that they could overlook, and what they leave behind."""

import os
import pathlib
import types

import psycopg
import pytest

from tests.drills.drill import Logs
from tests.drills.pooling import shape_of
from tests.harness.clusters import ROLE, PostgresCluster, Standby, wait_for
from tests.harness.pooler import PgBouncer, role_settings

INSTALLED = any(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
needs_postgresql = pytest.mark.skipif(not INSTALLED, reason="PostgreSQL's programs are not installed")


@needs_postgresql
@pytest.mark.whole
def test_nothing_is_left_of_clusters_when_a_drill_breaks_off():
    pids: list[int] = []
    folders: list[pathlib.Path] = []
    with pytest.raises(ZeroDivisionError):
        _break_off(pids, folders)
    assert len(pids) > 10
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    assert [folder for folder in folders if folder.exists()] == []


def _break_off(pids: list[int], folders: list[pathlib.Path]) -> None:
    """Notes the running processes and their folders, and fails while the primary is frozen."""
    with PostgresCluster() as primary, Standby(primary) as standby:
        wait_for(primary, standby)
        primary.sql(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        with PgBouncer(primary.port, prepared=0) as pooler:
            pids += [*primary.pids(), *standby.pids(), pooler.process.pid]
            folders += [primary.folder, standby.folder, pooler.folder]
            primary.freeze()
            raise ZeroDivisionError


@needs_postgresql
@pytest.mark.whole
def test_a_standby_that_is_waited_for_has_what_was_committed_when_the_primary_is_killed():
    with PostgresCluster() as primary, Standby(primary) as standby:
        wait_for(primary, standby)
        primary.sql("CREATE TABLE kept (n int)")
        for number in range(20):
            primary.sql(f"INSERT INTO kept VALUES ({number})")
        primary.kill()
        with pytest.raises(psycopg.OperationalError):
            primary.sql("SELECT 1")
        standby.promote()
        assert standby.sql("SELECT count(*) FROM kept") == [(20,)]


def test_every_setting_that_a_session_would_make_is_one_of_the_role():
    assert [statement.split()[4] for statement in role_settings()] == [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "jit",
    ]


def test_tracebacks_are_found_and_counted_from_where_the_drill_began(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("INFO begins\nTraceback (most recent call last):\n  File x\nValueError: of an earlier drill\n")
    logs = Logs(types.SimpleNamespace(folder=tmp_path))
    assert logs.tracebacks() == []
    chained = "\n\nThe above exception was the direct cause of the following exception:\n\n"
    trace = "Traceback (most recent call last):\n  File x, line 7\nKeyError: 12"
    for number in range(2):
        with log.open("a") as file:
            file.write(f"12:00:0{number} ERROR of call {number}\n{trace}{chained}{trace}\nINFO goes on\n")
    (tmp_path / "sandbox.log").write_text(trace)
    assert logs.tracebacks() == ["traceback, 2 times: #:#:# ERROR of call # ... KeyError: #"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/admin/orders/order/12/change/", "/admin/orders/order/34/change/", True),
        ("/admin/orders/province/BJ/change/", "/admin/orders/province/GD/change/", True),
        ("/admin/orders/order/12/change/", "/admin/orders/order/12/history/", False),
        ("/admin/orders/order/?state=held", "/admin/orders/order/?state=failed", True),
        ("/admin/orders/order/?state=held", "/admin/orders/order/?q=held", False),
        ("/admin/orders/order/add/", "/admin/orders/order/", False),
    ],
)
def test_one_page_of_each_shape_is_opened(one, other, same):
    assert (shape_of(one) == shape_of(other)) is same
