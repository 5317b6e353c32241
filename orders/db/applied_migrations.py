"""The rows of `django_migrations`: the migrations applied to the database."""

from django.db.migrations.recorder import MigrationRecorder


def applied_migrations(connection) -> dict:
    """Returns {(app, name of the migration): its row, with the moment `applied`}."""
    return MigrationRecorder(connection).applied_migrations()
