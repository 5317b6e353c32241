"""Reads a database's applied migrations from the rows of `django_migrations`.

A squashed migration has a row for each migration that it replaces. The files of the replaced migrations are gone. If a
database has only some of these rows, Django leaves the squashed migration out of its graph and reports nothing. So
these functions read the rows.
"""

from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from orders.db.applied_migrations import applied_migrations

Row = tuple[str, str]
"""An app and the name of a migration."""


def rows_of(migration: Migration) -> list[Row]:
    """Returns the rows that a database has once the migration is applied."""
    return list(migration.replaces) or [(migration.app_label, migration.name)]


def graph_and_plan() -> tuple[MigrationGraph, list[Migration]]:
    """Returns the graph of all migrations, and its migrations in the order in which a new database applies them."""
    graph = MigrationLoader(None).graph
    keys = dict.fromkeys(key for leaf in sorted(graph.leaf_nodes()) for key in graph.forwards_plan(leaf))
    return graph, [graph.nodes[key] for key in keys]


def missing_names(connection) -> list[str]:
    """Returns `app.name` of the migrations that are not applied. If a squashed migration has only some of its rows,
    returns the replaced migrations without a row."""
    applied = applied_migrations(connection)
    _graph, plan = graph_and_plan()
    found = []
    for migration in plan:
        lacking = [row for row in rows_of(migration) if row not in applied]
        found += [(migration.app_label, migration.name)] if lacking == rows_of(migration) else lacking
    return [".".join(row) for row in found]
