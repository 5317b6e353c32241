"""Failed orders have a limit in time too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0061_trail_without_secrets")]
    operations = [
        migrations.AlterField(
            model_name="timelimit",
            name="state",
            field=models.CharField(
                choices=[
                    ("awaiting_approval", "Awaiting approval"),
                    ("held", "Held"),
                    ("failed", "Failed"),
                    ("in_progress", "In progress"),
                    ("conflict", "Conflict not seen to"),
                ],
                max_length=20,
                verbose_name="state",
            ),
        ),
    ]
