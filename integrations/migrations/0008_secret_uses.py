"""When old secrets were last used. The version before does not know the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0007_breaker_codes")]
    operations = [
        migrations.CreateModel(
            name="SecretUse",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("used_at", models.DateTimeField()),
            ],
            options={"default_permissions": []},
        ),
    ]
