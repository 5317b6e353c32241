"""Failed orders have a limit in time too."""

from django.db import migrations, models


def add_limit(apps, schema_editor) -> None:
    """May run again."""
    rows = apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias)
    rows.get_or_create(state="failed", kind="", attribution=None, defaults={"amount": 1, "unit": "days"})


def remove_limit(apps, schema_editor) -> None:
    apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias).filter(state="failed").delete()


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
        migrations.RunPython(add_limit, remove_limit),
    ]
