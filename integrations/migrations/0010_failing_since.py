"""When the failures in a row of a partner began: mails have no rows that say when they were tried."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0009_robots")]
    operations = [
        migrations.AddField(
            model_name="breaker",
            name="failing_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
