"""The migrations agree with the models. A migration that was stopped in the middle can be run again."""

import pytest
from django.core.management import call_command
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader

OURS = ("orders", "approvals", "notifications", "integrations", "project")


@pytest.mark.django_db
def test_no_migration_is_missing(capsys):
    call_command("makemigrations", check=True, dry_run=True)
    assert capsys.readouterr().out == "No changes detected\n"


def test_what_is_not_undone_together_can_be_done_again():
    """Without a transaction, schema operations stay done if a later one fails, and can't be done twice. A migration
    without a transaction may therefore run only functions, which can check whether they have run.
    """
    wrong = [
        str(migration)
        for (app, _name), migration in MigrationLoader(None).graph.nodes.items()
        if app in OURS
        and not migration.atomic
        and {type(operation) for operation in migration.operations} > {RunPython}
    ]
    assert wrong == []
