"""The code of an attempt's error, beside its logged line. The version before leaves it NULL."""

from django.db import migrations, models

CODE = {"blank": True, "editable": False, "max_length": 32, "null": True, "verbose_name": "error code"}


class Migration(migrations.Migration):
    dependencies = [("orders", "0036_customers_without_texts")]
    operations = [migrations.AddField("attempt", "error_code", models.CharField(**CODE))]
