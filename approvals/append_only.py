"""Database triggers that reject changes and deletions in the approval history (contract 3.6).

A shell, an admin action or `queryset.update()` can bypass a rule in Python. None of them can bypass a trigger. Two
limits apply on SQLite:

- When a later migration alters a table, SQLite rebuilds it and drops its triggers. Such a migration ends with
  `RunPython(install, remove)`. A test checks that the triggers exist.
- SQLite rejects `manage.py flush` once the table has a row. The test suite flushes after tests with real transactions,
  so it removes the triggers for that statement (tests/flushing.py). PostgreSQL flushes with TRUNCATE, which does not
  fire row triggers.
"""

import contextlib
from collections.abc import Iterator

from django.db import transaction


class RowGuard:
    """Triggers that reject changes to a table's rows.

    `sqlite` maps `update`, `delete` and optionally `insert` to the end of the CREATE statement of that trigger.
    `postgresql` is the body of the function that the trigger for UPDATE and DELETE executes.
    """

    def __init__(self, table: str, name: str, *, sqlite: dict[str, str], postgresql: str):
        self.table, function = table, f"{table}_{name}"
        self._create = {
            "sqlite": [
                f"CREATE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table} {rest}"
                for act, rest in sqlite.items()
            ],
            "postgresql": [
                f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ {postgresql} $$",
                f"CREATE OR REPLACE TRIGGER {function} BEFORE UPDATE OR DELETE ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {function}()",
            ],
        }
        self._drop = {
            "sqlite": [f"DROP TRIGGER IF EXISTS {table}_no_{act}" for act in sqlite],
            "postgresql": [f"DROP TRIGGER IF EXISTS {function} ON {table}", f"DROP FUNCTION IF EXISTS {function}()"],
        }

    def create_statements(self, vendor: str) -> list[str]:
        """Returns the SQL statements that install the triggers, for `connection.vendor`."""
        return self._create[vendor]

    def drop_statements(self, vendor: str) -> list[str]:
        return self._drop[vendor]

    def install(self, apps, schema_editor) -> None:
        """Installs the triggers. Idempotent, for use in `RunPython`.

        On PostgreSQL existing triggers are replaced and not dropped, because a DROP TRIGGER waits until no transaction
        reads the table.
        """
        if schema_editor.connection.vendor == "sqlite":
            self.remove(apps, schema_editor)
        for statement in self.create_statements(schema_editor.connection.vendor):
            schema_editor.execute(statement)

    def remove(self, apps, schema_editor) -> None:
        for statement in self.drop_statements(schema_editor.connection.vendor):
            schema_editor.execute(statement)

    @contextlib.contextmanager
    def lifted(self, connection) -> Iterator[None]:
        """Runs the block in a transaction without the triggers, for a migration that must change rows.

        The statements lock the table, so other connections can't write to it before the transaction ends. Before that
        end the triggers are installed again.
        """
        if connection.vendor == "sqlite":
            before, after = self.drop_statements("sqlite"), self.create_statements("sqlite")
        else:
            before, after = ([f"ALTER TABLE {self.table} {act} TRIGGER USER"] for act in ("DISABLE", "ENABLE"))
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in before:
                cursor.execute(statement)
            yield
            for statement in after:
                cursor.execute(statement)


_MESSAGE = "approval records are never changed or deleted"
_REFUSE = f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
_RAISE = f"RAISE EXCEPTION '{_MESSAGE}' USING ERRCODE = 'restrict_violation'; END"
_strict = RowGuard(
    "approvals_approvalrecord",
    "append_only",
    sqlite=dict.fromkeys(("update", "delete"), _REFUSE),
    postgresql=f"BEGIN {_RAISE}",
)
install, remove = _strict.install, _strict.remove  # for the first migration, before the table of erasures exists
_ERASING = "EXISTS (SELECT 1 FROM orders_erasure WHERE texts IS NOT NULL AND order_id = OLD.order_id)"
guard = RowGuard(
    "approvals_approvalrecord",
    "append_only",
    sqlite={"update": f"WHEN NOT {_ERASING} {_REFUSE}", "delete": _REFUSE},
    postgresql=f"BEGIN IF TG_OP = 'UPDATE' AND {_ERASING} THEN RETURN NEW; END IF; {_RAISE}",
)
"""The guard in force. Only the erasure of an order's personal data (orders/db/erasing.py) passes it."""
