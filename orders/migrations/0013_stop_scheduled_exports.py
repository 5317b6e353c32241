"""Who may switch off a colleague's scheduled export; weekdays are 1 to 7."""

import functools

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Replace
from django.db.models.lookups import Exact

OTHER_LETTERS: models.expressions.Combinable = functools.reduce(
    lambda left, day: Replace(left, models.Value(day), models.Value("")), "1234567", models.F("weekdays")
)


class Add(AddConstraintNotValid):
    """SQLite makes the table anew, and knows no NOT VALID."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        return migrations.AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)


class Validate(ValidateConstraint):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    dependencies = [("orders", "0012_bulk_runs")]
    operations = [
        migrations.AlterModelOptions(
            name="scheduledexport",
            options={
                "default_permissions": ["view"],
                "ordering": ["-pk"],
                "permissions": [("stop_scheduledexport", "Can switch off a colleague's scheduled export")],
                "verbose_name": "scheduled export",
                "verbose_name_plural": "scheduled exports",
            },
        ),
        Add(
            model_name="scheduledexport",
            constraint=models.CheckConstraint(
                condition=Exact(OTHER_LETTERS, models.Value("")), name="scheduled_export_weekdays_are_1_to_7"
            ),
        ),
        Validate(model_name="scheduledexport", name="scheduled_export_weekdays_are_1_to_7"),
    ]
