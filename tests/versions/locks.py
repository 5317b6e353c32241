"""Finds SQL of a migration that would stop BBOSS's orders on a large table of PostgreSQL.

Also says what to write instead.
"""

import re

from django.db import connection, migrations
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

LONG = {
    r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "AddIndexConcurrently in a migration with atomic = False",
    r"DROP INDEX (?!CONCURRENTLY)": "RemoveIndexConcurrently in a migration with atomic = False",
    r"ALTER COLUMN \S+ (SET DATA )?TYPE": "a new column; the old one goes a version later",
    r"ALTER COLUMN \S+ SET NOT NULL": "a CHECK (... IS NOT NULL) that is added NOT VALID and validated by itself",
    r"ADD CONSTRAINT \S+ (CHECK|FOREIGN KEY)(?!.*NOT VALID)": "AddConstraintNotValid, then ValidateConstraint",
    r"ADD CONSTRAINT \S+ (UNIQUE|PRIMARY KEY|EXCLUDE)(?! USING INDEX)": "a unique index made CONCURRENTLY",
    r"ADD COLUMN .*\bREFERENCES\b": "a column with db_constraint=False, then a foreign key that is NOT VALID",
    r"ADD COLUMN .*\bDEFAULT [^,]*\b(random|clock_timestamp|gen_random_uuid|nextval)\(": "a constant default",
    r"ADD COLUMN .*\b(GENERATED|SERIAL|BIGSERIAL)\b": "a column that code fills",
    r"RENAME (COLUMN|TO)\b": "a new one beside the old one: old code knows the old name alone",
}
"""Statement: what to write instead."""

NO_ORDER_WAITS = {"orders_export"}
"""Tables that neither intake nor delivery touches: only staff wait for them."""
DEFAULT_DROPPED = r"ALTER COLUMN \S+ DROP DEFAULT"


def findings(migration: Migration, before: ProjectState) -> list[str]:
    """Returns an error for each operation of a migration that stops orders or does not suit the version before.

    An operation stops orders if it keeps a lock for a time that grows with the table. Statements on tables that the
    migration itself creates are ignored. Changes `before` to the state after the migration.
    """
    statements = _sql(migration, before)
    new = {match[1] for text in statements if (match := re.search(r'CREATE TABLE (?:IF NOT EXISTS )?"?(\w+)"?', text))}
    found = []
    for text in statements:
        if any(re.search(rf'(ALTER TABLE|ON) "?{table}"?\b', text) for table in new | NO_ORDER_WAITS):
            continue
        found += [f"{text}: take {instead}" for wrong, instead in LONG.items() if re.search(wrong, text, re.I)]
        if re.search(DEFAULT_DROPPED, text, re.I):
            found.append(f"{text}: give it db_default, or old code's INSERT fails")
    fills = [operation for operation in migration.operations if isinstance(operation, migrations.RunPython)]
    if fills and migration.atomic:
        found.append("RunPython: in a migration of its own with atomic = False, in batches")
    return found


def _sql(migration: Migration, before: ProjectState) -> list[str]:
    """Returns the SQL statements of a migration, each in one line, without comments."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        migration.apply(before, editor, collect_sql=True)
    lines = "\n".join(line for line in editor.collected_sql if not line.startswith("--"))
    return [" ".join(text.split()) for text in lines.split(";") if text.strip()]
