"""Whether a person is mailed of what waits."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("project", "0024_limit_rights")]
    operations = [
        migrations.AddField(
            model_name="user",
            name="digest",
            field=models.BooleanField(
                blank=True,
                help_text="a mail each workday morning, and one when something turns red that nobody has",
                null=True,
                verbose_name="mail of what waits",
            ),
        ),
    ]
