"""Who may switch off a colleague's scheduled export."""

from django.db import migrations


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
    ]
