"""Migrations run while orders come in (the rule is in docs/mechanisms/versions.md).

No migration may lock a large table for long, or wait long for a lock. The version before must work on the new schema.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import psycopg
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from project.database.applied_migrations import graph_and_plan, rows_of
from project.management.commands import migrate as migrate_command
from tests.harness.desk import ProcessDesk
from tests.versions.locks import findings

OURS = ("orders", "approvals", "notifications", "integrations", "project")
on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="locks of tables are PostgreSQL's")


def made_up(*operations, atomic=True):
    """Returns a migration of `orders` with these operations, to be applied after all others."""
    migration = migrations.Migration("next", "orders")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


def state():
    return MigrationLoader(connection).project_state()


def field(**more):
    return models.CharField(max_length=20, **more)


def add(**more):
    """Returns an AddField for orders as the rule demands: only in the database. The code follows a version later."""
    return migrations.SeparateDatabaseAndState(
        database_operations=[migrations.AddField("order", "next", field(**more))]
    )


def sql(text):
    return migrations.RunSQL(text, migrations.RunSQL.noop)


INDEX = models.Index(fields=["data_flow"], name="next_index")
CHECK = models.CheckConstraint(condition=~models.Q(number=""), name="next_check")
UNIQUE = models.UniqueConstraint(fields=["data_flow"], name="next_unique")
ORDER = models.ForeignKey("orders.Order", models.CASCADE, null=True)
LONG = {
    "an index": [migrations.AddIndex("order", INDEX)],
    "an index by hand": [sql("CREATE INDEX next_index ON orders_order (data_flow)")],
    "an index dropped": [sql("DROP INDEX order_needs")],
    "another type": [migrations.AlterField("order", "data_flow", models.IntegerField(default=0))],
    "not null": [migrations.AlterField("order", "biz_end", models.DateField(default="2026-01-01"))],
    "a check": [migrations.AddConstraint("order", CHECK)],
    "a unique constraint": [
        migrations.AddConstraint("order", models.UniqueConstraint(fields=["data_flow"], name="next_u"))
    ],
    "a foreign key": [migrations.AddField("order", "next", ORDER)],
    "a volatile default": [sql("ALTER TABLE orders_order ADD COLUMN next uuid DEFAULT gen_random_uuid()")],
    "a column renamed": [migrations.RenameField("order", "data_flow", "flow")],
    "a default that old code lacks": [add(default="")],
    "rows filled in one transaction": [migrations.RunPython(migrations.RunPython.noop)],
}
SHORT = {
    "a column with a default in the database": [add(default="", db_default="")],
    "a column that may be null": [add(null=True)],
    "a column dropped": [sql("ALTER TABLE orders_order DROP COLUMN data_flow")],
    "a check that is not valid yet": [sql("ALTER TABLE orders_order ADD CONSTRAINT c CHECK (number <> '') NOT VALID")],
    "a table of its own": [
        migrations.CreateModel("Next", [("id", models.BigAutoField(primary_key=True)), ("name", field(unique=True))]),
        migrations.AddIndex("next", models.Index(fields=["name"], name="next_name")),
    ],
}


@on_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("name", LONG)
def test_what_would_stop_orders_is_seen(name):
    assert findings(made_up(*LONG[name]), state()) != []


@on_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("name", SHORT)
def test_what_is_short_is_let_through(name):
    assert findings(made_up(*SHORT[name]), state()) == []


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_an_index_made_beside_the_work_is_let_through():
    assert findings(made_up(AddIndexConcurrently("order", INDEX), atomic=False), state()) == []
    assert findings(made_up(migrations.RunPython(migrations.RunPython.noop), atomic=False), state()) == []


@on_postgres
@pytest.mark.django_db
def test_no_migration_of_ours_stops_orders():
    loader, wrong, plan = MigrationLoader(connection), {}, []
    for leaf in loader.graph.leaf_nodes():
        plan += [node for node in loader.graph.forwards_plan(leaf) if node not in plan]
    before = ProjectState(real_apps=loader.unmigrated_apps)
    for app, name in plan:  # in the order of `migrate` on an empty database
        migration = loader.graph.nodes[app, name]
        if app not in OURS or migration.replaces:  # a squashed migration runs only on an empty database
            migration.mutate_state(before, preserve=False)
        elif found := findings(migration, before):
            wrong[f"{app}.{name}"] = found
    assert len(plan) == len(loader.graph.nodes)
    assert wrong == {}


@pytest.mark.django_db
def test_a_migration_that_only_the_next_version_knows_is_no_reason(client):
    MigrationRecorder(connection).record_applied("orders", "9999_next")
    answer = client.get("/readyz").json()
    assert answer["migrations"] == []
    assert "migrations are not applied" not in answer["reasons"]


@pytest.mark.processes
def test_migrate_does_not_make_orders_wait_for_a_table_in_use(tmp_path, postgres):
    if not postgres:
        pytest.skip("locks of tables are PostgreSQL's")
    desk = ProcessDesk(tmp_path, postgres=postgres)
    desk.make_migrated_database()
    try:
        with psycopg.connect(desk.database_url) as backup, psycopg.connect(desk.database_url) as intake:
            backup.execute("SELECT count(*) FROM orders_affectedorder")  # stays open, like a dump's transaction
            ended = []
            command = [sys.executable, "manage.py", "migrate", "orders", "0065", "-v0"]  # drops a column of this table
            more = {"cwd": desk.root, "env": desk.environment, "capture_output": True, "text": True, "timeout": 120}
            thread = threading.Thread(target=lambda: ended.append(subprocess.run(command, check=False, **more)))
            thread.start()
            longest = 0.0
            while thread.is_alive():
                began = time.monotonic()
                intake.execute("SELECT count(*) FROM orders_affectedorder")
                intake.commit()
                longest = max(longest, time.monotonic() - began)
                time.sleep(0.05)
            assert ended[0].returncode == 1
            [line] = ended[0].stderr.splitlines()
            assert line.startswith("CommandError: a table was in use for longer than 20 s")
            assert longest < 20  # the promise is 1 s; without a limit, orders would wait for the backup
            patient = subprocess.Popen(
                [*command[:-1], "-v1"],
                cwd=desk.root,
                env=desk.environment | {"PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert any("it is rolled back and tried again" in line for line in patient.stdout)
            backup.rollback()
            assert (patient.communicate(timeout=120), patient.returncode)[1] == 0
        assert desk.manage("migrate", "-v0").returncode == 0
    finally:
        desk.drop_database()


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["55P03", "40P01"])
def test_a_migration_that_was_rolled_back_for_a_lock_is_tried_again(monkeypatch, code):
    calls = []

    def handle(self, *args, **options):
        calls.append(code)
        if len(calls) < 3:
            raise OperationalError("in the way") from refused

    refused = psycopg.errors.lookup(code)()
    monkeypatch.setattr("django.core.management.commands.migrate.Command.handle", handle)
    monkeypatch.setattr(migrate_command, "PAUSE", 0)
    call_command("migrate", verbosity=0)
    assert len(calls) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("code, raised", [("40P01", CommandError), ("42703", OperationalError)])
def test_it_gives_up_in_the_end_and_at_once_for_anything_else(monkeypatch, code, raised):
    def handle(self, *args, **options):
        raise OperationalError("in the way") from psycopg.errors.lookup(code)()

    monkeypatch.setattr("django.core.management.commands.migrate.Command.handle", handle)
    monkeypatch.setattr(migrate_command, "PATIENCE", -1)
    with pytest.raises(raised):
        call_command("migrate", verbosity=0)


@pytest.mark.processes
@pytest.mark.whole
def test_two_at_once_take_turns(tmp_path, postgres):
    """Two `migrate` commands at the same time take turns.

    The first one is stopped by SIGSTOP after it has begun, until the second one has noticed it.
    """
    desk = ProcessDesk(tmp_path, postgres=postgres)
    desk.make_migrated_database()
    command = [sys.executable, "manage.py", "migrate", "orders", "0069"]
    more = {"cwd": desk.root, "env": desk.environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        first = subprocess.Popen(command, text=True, **more)
        said = [first.stdout.readline()]
        first.send_signal(signal.SIGSTOP)
        second = subprocess.Popen(command, text=True, **more)
        met = second.stdout.readline()
        first.send_signal(signal.SIGCONT)
        said += [one.communicate(timeout=300)[0] for one in (first, second)]
        assert [first.returncode, second.returncode] == [0, 0], said
        assert "Operations to perform" in said[0]
        assert "another migrate is at work" in met
        assert "another migrate is at work" not in said[1]
        assert ["No migrations to apply" in text for text in said[1:]] == [False, True]
    finally:
        desk.drop_database()


@pytest.mark.django_db
def test_a_database_of_before_1_0_0_is_refused_in_one_line(client):
    rows = MigrationRecorder.Migration.objects
    rows.filter(app__in=OURS).delete()
    for app, name in (("orders", "0013_list_indexes_once_more"), ("project", "0001_roles")):
        rows.create(app=app, name=name)
    with pytest.raises(CommandError, match=r"^this database was made before version 1\.0\.0.*make a new one$"):
        call_command("migrate")
    assert "project.0001_squashed_0025_digest" in client.get("/readyz").json()["migrations"]


@pytest.fixture
def applied(db):
    """Returns the rows of our apps in django_migrations."""
    return MigrationRecorder.Migration.objects.filter(app__in=OURS)


def refusal(*words) -> str:
    with pytest.raises(CommandError) as raised:
        call_command("migrate", *words, verbosity=0)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def replaced(app: str) -> list[tuple[str, str]]:
    """Returns (app, name) of the migrations that an app's squashed migrations replace, in their order."""
    nodes = MigrationLoader(None).graph.nodes
    return [row for key in sorted(nodes) if key[0] == app for row in nodes[key].replaces]


def forget(applied, rows) -> None:
    for app, name in rows:
        applied.filter(app=app, name=name).delete()


def forget_since(applied) -> None:
    """Leaves only the rows that a released version had before migrations were squashed.

    Removes the rows of squashed migrations and of migrations since.
    """
    for app in OURS:
        applied.filter(app=app).exclude(name__in=[name for _app, name in replaced(app)]).delete()


def test_what_the_sets_replace_may_be_there_with_their_own_rows_or_without(applied, client):
    for app, name in MigrationLoader(None).graph.nodes:
        applied.filter(app=app, name=name, name__contains="squashed").delete()
    assert migrate_command.why_not(connection) == ""
    assert client.get("/readyz").json()["migrations"] == []
    forget_since(applied)
    assert migrate_command.why_not(connection) == ""
    assert client.get("/readyz").json()["migrations"][-1] == "project.0030_erase_right"


@pytest.mark.parametrize(
    "lacks",
    [
        {"orders": "0060", "notifications": "0015"},  # a database of 1.9.0
        {"orders": "0059", "project": "0026", "notifications": "0013"},  # a database of 1.8.0
        {"orders": "0018", "project": "0006", "integrations": "0003", "notifications": "0002", "approvals": "0004"},
    ],
)
def test_a_version_before_the_oldest_that_is_taken_is_refused_in_one_line(applied, client, lacks):
    forget_since(applied)
    for app, first in lacks.items():
        forget(applied, [row for row in replaced(app) if row[1] >= first])
    said = refusal()
    assert said.startswith(f"this database is of a version before {migrate_command.FROM_VERSION} (")
    assert f"{migrate_command.FROM_VERSION} has to migrate it first" in said
    assert refusal("--plan") == refusal("orders") == said
    missing = client.get("/readyz").json()["migrations"]
    assert all(any(row.startswith(f"{app}.{first}") for row in missing) for app, first in lacks.items())


@pytest.mark.parametrize("whole", [True, False], ids=["between two migrations", "while one was noted"])
def test_a_first_run_that_was_broken_off_goes_on(applied, whole):
    _graph, plan = graph_and_plan()
    for migration in plan[len(plan) // 2 :]:
        forget(MigrationRecorder.Migration.objects, [*rows_of(migration), (migration.app_label, migration.name)])
    if not whole:
        applied.filter(name__contains="squashed").delete()
    assert migrate_command.why_not(connection) == ""


@pytest.mark.parametrize(
    "row",
    [
        ("orders", "0016_shapes"),
        ("integrations", "0001_initial"),
        ("project", "0025_digest"),
        ("orders", "0065_too_many"),
    ],
)
def test_a_row_that_is_missing_is_named_in_one_line(applied, client, row):
    forget(applied, [row])
    assert refusal().startswith(f"the row of {'.'.join(row)} is missing in django_migrations, though ")
    assert client.get("/readyz").json()["migrations"] == [".".join(row)]


@pytest.mark.processes
def test_the_only_row_of_an_app_that_is_missing_is_named_too(tmp_path, postgres):
    """The only row of an app is missing. It is named, because a migration of another app follows it."""
    desk = ProcessDesk(tmp_path, postgres=postgres)
    desk.make_migrated_database()
    try:
        place = desk.folder / "desk.sqlite3"
        there = psycopg.connect(desk.database_url) if postgres else sqlite3.connect(place)
        with contextlib.closing(there):
            there.execute("DELETE FROM django_migrations WHERE app = 'approvals'")
            there.commit()
        done = desk.manage("migrate", "approvals", "-v0", check=False)
        [line] = done.stderr.splitlines()
        assert line.startswith("CommandError: the row of approvals.0001_initial is missing in django_migrations")
        assert "though orders.0080_erasing follows it" in line
    finally:
        desk.drop_database()
