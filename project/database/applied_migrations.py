"""Reads a database's applied migrations from the rows of `django_migrations`.

A migration that replaces others, whose files are gone, has a row for each of them. Django leaves it out where a
database has only some of these rows, and then knows nothing of what it makes. So the rows are looked at here.
"""

from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from orders.db.applied_migrations import applied_migrations

Row = tuple[str, str]
"""An app and the name of a migration."""


def rows_of(migration: Migration) -> list[Row]:
    """The rows that say that it was applied."""
    return list(migration.replaces) or [(migration.app_label, migration.name)]


def graph_and_plan() -> tuple[MigrationGraph, list[Migration]]:
    """All migrations, and the order in which a new database gets them."""
    graph = MigrationLoader(None).graph
    keys = dict.fromkeys(key for leaf in sorted(graph.leaf_nodes()) for key in graph.forwards_plan(leaf))
    return graph, [graph.nodes[key] for key in keys]


def missing_names(connection) -> list[str]:
    """Returns the migrations that the database lacks; of one that replaces others, those others that are missing."""
    applied = applied_migrations(connection)
    _graph, plan = graph_and_plan()
    found = []
    for migration in plan:
        lacking = [row for row in rows_of(migration) if row not in applied]
        found += [(migration.app_label, migration.name)] if lacking == rows_of(migration) else lacking
    return [".".join(row) for row in found]
