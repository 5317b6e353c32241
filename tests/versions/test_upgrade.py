"""Databases of released versions are migrated to this version, and still work with the old code.

`migrate` accepts a database of 1.10.0 or of any later version. Old migration files are removed. Squashed migrations
replace them, and must create the same database.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.migrations.loader import MigrationLoader

from project.management.commands.migrate import FROM_VERSION
from tests.flows.contents import withdrawal
from tests.harness.children import ROOT
from tests.harness.desk import ProcessDesk
from tests.processes.orders import post_all, trial
from tests.versions.releases import RELEASED, released
from tests.versions.test_next_version import Story

pytestmark = pytest.mark.versions
NOTHING = "No migrations to apply"
ROWS = """
import django.db, orders.models as models
first = models.Order.objects.order_by("pk").first()
for place, state in enumerate(models.Order.State.values * 2):
    row = models.Order.objects.get(pk=first.pk)
    row.pk, row.number, row.state = None, f"100S{place:04}", state
    row.trial_number, row.trial, row.change_number = "", None, None
    row.held_because = "files" if state == "held" else ""
    row.save(force_insert=True)
"""
"""Two orders in each state, by the code of any version."""
LOOKS = [
    "SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length,"
    " is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid, true) ||"
    " convalidated::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "SELECT 'trigger', tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT 'function', p.proname, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
    " WHERE p.pronamespace = 'public'::regnamespace AND l.lanname = 'plpgsql'",
]
ERASED = "100T0601"
CREATES = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
SEEDED = [
    "SELECT letters, code, name FROM orders_province",
    "SELECT code, cdn_type, plains FROM orders_servicetype",
    "SELECT state, kind, amount, unit FROM orders_timelimit",
    "SELECT count(*) FROM orders_timeline",
    "SELECT g.name, t.app_label, t.model, p.codename FROM auth_group_permissions h"
    " JOIN auth_group g ON g.id = h.group_id JOIN auth_permission p ON p.id = h.permission_id"
    " JOIN django_content_type t ON t.id = p.content_type_id",
]
"""What a new database begins with."""


def schema(desk: ProcessDesk) -> dict[tuple, str]:
    """Returns {kind and name: definition} of all parts of the schema. Ignores the order of a table's columns."""
    if not desk.postgres:
        return {(kind, name): in_order(sql) if kind == "table" else sql for kind, name, sql in desk.rows(CREATES)}
    found = {(kind, name): text for look in LOOKS for kind, name, text in desk.rows(look)}
    # 1.10.0 created two indexes by its own SQL, on PostgreSQL only. Django writes their condition in another way.
    return {key: re.sub(r"NOT \((\S+) = (''::text)\)", r"\1 <> \2", text) for key, text in found.items()}


def in_order(create: str) -> str:
    """Returns a CREATE TABLE statement of SQLite with its columns in alphabetical order."""
    head, _, inner = create.partition("(")
    parts, depth, quoted = [""], 0, False
    for letter in inner.rstrip()[:-1]:
        quoted ^= letter == "'"
        depth += 0 if quoted else {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return f"{head}({', '.join(sorted(part.strip() for part in parts))})"


@pytest.fixture(scope="module", params=RELEASED)
def old(request, tmp_path_factory) -> Path:
    return released(request.param, tmp_path_factory.mktemp("released"))


@contextlib.contextmanager
def migrated(folder: Path, postgres: str, root: Path) -> Iterator[ProcessDesk]:
    """Yields a desk that has only a database, created by the code of the checkout `root`."""
    folder.mkdir()
    desk = ProcessDesk(folder, postgres=postgres, root=root)
    desk.make_migrated_database()
    try:
        yield desk
    finally:
        desk.drop_database()


def orders(desk: ProcessDesk) -> list[tuple]:
    return sorted(desk.rows("SELECT number, state, kind, enterprise_id, held_because FROM orders_order"))


def erase_a_line(desk: ProcessDesk) -> None:
    """Creates a withdrawn trial and erases its personal data."""
    for content, state in [(trial(601), "trialing"), (withdrawal(ERASED), "withdrawn")]:
        post_all(desk, [content])
        desk.until_state(ERASED, state, seconds=120)
    desk.manage("erase", f"--order={ERASED}", "--reason=x")


def look_at_the_erased(story: Story) -> None:
    """Checks that the running code can work with an erased order.

    It must show the order, report on it, refuse to resend it, and accept its repeated withdrawal.
    """
    desk = story.desk
    post_all(desk, [withdrawal(ERASED)])
    ((pk,),) = desk.rows(f"SELECT id FROM orders_order WHERE number = '{ERASED}'")
    story.open_pages([f"orders/order/{pk}/change/"])
    desk.manage("show", ERASED)
    desk.manage("reconcile")
    desk.manage("export", "orders", str(desk.folder / "orders.xlsx"))
    sent_again = desk.manage("resend", ERASED, check=False)
    assert sent_again.returncode == 1, sent_again.stdout
    assert "Traceback" not in sent_again.stderr
    assert desk.rows(f"SELECT state, oper_tel FROM orders_order WHERE number = '{ERASED}'") == [("withdrawn", "")]


def test_the_sets_stand_for_the_migrations_of_the_oldest_version_that_is_taken(tmp_path):
    files = released(FROM_VERSION, tmp_path).glob("*/migrations/0*.py")
    replaced = [row for one in MigrationLoader(None).graph.nodes.values() for row in one.replaces]
    assert sorted(replaced) == sorted((file.parent.parent.name, file.stem) for file in files)


def test_an_upgraded_database_is_the_same_as_a_new_one(tmp_path, postgres, old):
    with migrated(tmp_path / "new", postgres, ROOT) as new, migrated(tmp_path / "old", postgres, old) as upgraded:
        upgraded.manage("migrate", "-v0", root=ROOT)
        assert schema(upgraded) == schema(new)
        for query in SEEDED:
            assert sorted(upgraded.rows(query)) == sorted(new.rows(query))
        applied = "SELECT app, name FROM django_migrations"
        assert set(upgraded.rows(applied)) == set(new.rows(applied))
        assert len(new.rows(applied)) == len(set(new.rows(applied)))


def test_a_desk_is_upgraded_and_goes_back(tmp_path, postgres, old):
    with ProcessDesk(tmp_path, postgres=postgres, root=old) as desk:
        story = Story(desk, {})
        story.take_over(old)
        story.play()
        desk.stop("worker")
        desk.manage("shell", "-v0", "-c", ROWS)
        before = orders(desk)
        desk.manage("migrate", "-v0", root=ROOT)
        assert orders(desk) == before
        for place, root in enumerate((ROOT, old, ROOT)):
            story.take_over(root)
            if place == 0:
                erase_a_line(desk)
            look_at_the_erased(story)
            assert NOTHING in desk.manage("migrate").stdout
            story.play()
            assert story.readiness()["reasons"] == []
            story.find("100A0001")  # old code finds what it had indexed before the upgrade
        assert {row[0] for row in before} < {row[0] for row in orders(desk)}
        assert "Traceback" not in desk.all_logs()


def test_a_new_desk_goes_back_too(tmp_path, postgres):
    old = released([*RELEASED][-1], tmp_path / "released")
    with ProcessDesk(tmp_path, postgres=postgres, root=ROOT) as desk:
        story = Story(desk, {})
        story.take_over(old)
        assert NOTHING in desk.manage("migrate").stdout
        desk.manage("check")
        story.play()
        assert story.readiness()["reasons"] == []
        assert "Traceback" not in desk.all_logs()
