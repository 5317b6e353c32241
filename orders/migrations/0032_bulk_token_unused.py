"""No code knows a bulk run's token any more. Its column and constraint stay for 1.4.0, which names them."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0031_drop_incident_note")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterField("bulkrun", "token", models.UUIDField(default=uuid.uuid4, editable=False, null=True)),
            ],
            state_operations=[
                migrations.RemoveConstraint("bulkrun", "one_bulk_run_per_form"),
                migrations.RemoveField("bulkrun", "token"),
            ],
        ),
    ]
