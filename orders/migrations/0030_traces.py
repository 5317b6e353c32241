"""The trace by which an order, and each call about it, is found again at BBOSS and at the partners."""

from django.db import migrations, models

TRACE = {"blank": True, "db_default": "", "default": "", "editable": False, "max_length": 32, "verbose_name": "trace"}


class Migration(migrations.Migration):
    dependencies = [("orders", "0029_bulk_drafts")]
    operations = [
        migrations.AddField(model_name="order", name="trace", field=models.CharField(**TRACE)),
        migrations.AddField(model_name="attempt", name="trace", field=models.CharField(**TRACE)),
    ]
