"""When an incident woke."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0055_push_right")]
    operations = [
        migrations.AddField(
            model_name="incident",
            name="woke_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
