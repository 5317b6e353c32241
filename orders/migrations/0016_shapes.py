"""What trials are meant to be, and what that needs (contract 3.9, 19)."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0015_domain_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="TrialShape",
            fields=[
                (
                    "trial",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="shape",
                        serialize=False,
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                ("domains", models.JSONField(default=list, help_text="names as sent", verbose_name="domains")),
                ("service", models.CharField(blank=True, max_length=8, verbose_name="service")),
                ("ends_on", models.DateField(blank=True, db_index=True, null=True, verbose_name="end day")),
                ("closed", models.BooleanField(default=False, help_text="an ending stands", verbose_name="closed")),
            ],
            options={
                "verbose_name": "shape of a trial",
                "verbose_name_plural": "shapes of trials",
            },
        ),
        migrations.AddField(
            model_name="affectedorder",
            name="beside",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="a trial, because an order of it is stopped on its records",
                verbose_name="named beside another",
            ),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="unanswered_at",
            field=models.DateTimeField(
                blank=True,
                help_text="when a call of it last ended without an answer",
                null=True,
                verbose_name="unanswered at",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="given_up",
            field=models.JSONField(
                blank=True,
                help_text="of a trial or change: what it says nothing about",
                null=True,
                verbose_name="given up",
            ),
        ),
        migrations.AlterField(
            model_name="difference",
            name="kind",
            field=models.CharField(
                choices=[
                    ("not_billed", "Live order, not billed"),
                    ("not_ours", "Billed, no live order"),
                    ("fields", "Fields differ"),
                    ("unknown_order", "Number that we do not know"),
                    ("not_listed", "Missing in BBOSS's list"),
                    ("not_meant", "Not as the orders say"),
                    ("unreadable", "Record that can't be read"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="change_number",
            field=models.PositiveIntegerField(
                blank=True, help_text="its place among what shapes its trial", null=True, verbose_name="change number"
            ),
        ),
        migrations.CreateModel(
            name="TrialEnd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("ending", "Ending"), ("taken", "End taken from the big-data side")],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "ends_on",
                    models.DateField(
                        blank=True, help_text="of a taken one; empty: no end", null=True, verbose_name="end day"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                ("by", models.CharField(max_length=160, verbose_name="by")),
                (
                    "trial",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ends",
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
            ],
            options={
                "verbose_name": "end of a trial",
                "verbose_name_plural": "ends of trials",
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=("trial", "number"), name="one_end_per_number")],
            },
        ),
    ]
