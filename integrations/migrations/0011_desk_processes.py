"""What each process would call. The version before does not know the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_squashed_0010_failing_since")]
    operations = [
        migrations.CreateModel(
            name="DeskProcess",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("calls", models.JSONField()),
                ("differs", models.JSONField(default=list)),
                ("works", models.BooleanField(default=False)),
                ("machine", models.CharField(blank=True, max_length=64)),
                ("pid", models.BigIntegerField(default=0)),
                ("seen_at", models.DateTimeField()),
            ],
            options={"default_permissions": []},
        ),
    ]
