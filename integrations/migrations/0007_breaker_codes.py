"""The code of the last error that a breaker counted, beside its logged line. The version before leaves it NULL."""

from django.db import migrations, models

CODE = {"blank": True, "editable": False, "max_length": 32, "null": True, "verbose_name": "error code"}


class Migration(migrations.Migration):
    dependencies = [("integrations", "0006_probe_right")]
    operations = [migrations.AddField("breaker", "last_code", models.CharField(**CODE))]
