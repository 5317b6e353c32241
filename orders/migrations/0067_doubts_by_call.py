"""The step by which an order is stopped, where its incident is about others of the same call too (contract 7.2)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0065_too_many")]
    operations = [
        migrations.AddField(
            "affectedorder",
            "step",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
    ]
