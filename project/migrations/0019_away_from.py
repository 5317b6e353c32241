"""From when a person is away."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("project", "0018_roles_apart")]
    operations = [
        migrations.AddField(
            model_name="user",
            name="away_from",
            field=models.DateField(blank=True, null=True, verbose_name="away from"),
        ),
    ]
