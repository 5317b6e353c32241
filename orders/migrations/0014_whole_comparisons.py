"""Whether a comparison with the big-data side was of all orders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial"), ("orders", "0013_list_indexes")]
    operations = [
        migrations.AddField(
            model_name="reconciliation",
            name="whole",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="not only some orders, or those since a day",
                verbose_name="all orders",
            ),
        ),
    ]
