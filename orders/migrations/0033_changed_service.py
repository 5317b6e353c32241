"""The service that a trial's changes gave it, beside its own; orders.0034 fills it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0032_bulk_token_unused")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="changed_service",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="orders.servicetype",
                verbose_name="service by changes",
            ),
        ),
    ]
