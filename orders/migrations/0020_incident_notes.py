"""Notes of incidents become rows. The column that held them stays for the version before; the next version drops it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0019_accounts")]
    operations = [
        migrations.AlterField(
            model_name="incident",
            name="note",
            field=models.TextField(blank=True, db_default="", default="", verbose_name="note"),
        ),
        migrations.CreateModel(
            name="IncidentNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("by", models.CharField(blank=True, max_length=160, verbose_name="written by")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("text", models.TextField(verbose_name="note")),
                ("scope", models.JSONField(blank=True, null=True, verbose_name="attributions")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="orders.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "note on an incident",
                "verbose_name_plural": "notes on incidents",
                "ordering": ["pk"],
                "default_permissions": [],
            },
        ),
    ]
