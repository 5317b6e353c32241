"""Drops the column of bulk runs that no code knows since 1.5.0, and its constraint. 0032 took both out of what Django knows, so
they are put back there first."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0037_attempt_codes")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField("bulkrun", "token", models.UUIDField(default=uuid.uuid4, editable=False, null=True)),
                migrations.AddConstraint(
                    "bulkrun", models.UniqueConstraint(fields=("by", "token"), name="one_bulk_run_per_form")
                ),
            ]
        ),
        migrations.RemoveConstraint("bulkrun", "one_bulk_run_per_form"),
        migrations.RemoveField("bulkrun", "token"),
    ]
