"""Saved views that are exported at fixed times of the week, and the exports that came of them."""

import functools

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Replace
from django.db.models.lookups import Exact

OTHER_LETTERS: models.expressions.Combinable = functools.reduce(
    lambda left, day: Replace(left, models.Value(day), models.Value("")), "1234567", models.F("weekdays")
)


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0009_saved_views"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="export",
            name="missed",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="missed"),
        ),
        migrations.AddField(
            model_name="export",
            name="slot",
            field=models.DateTimeField(blank=True, null=True, verbose_name="due at"),
        ),
        migrations.CreateModel(
            name="ScheduledExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("weekdays", models.CharField(max_length=7, verbose_name="weekdays")),
                ("at", models.TimeField(verbose_name="time of day")),
                (
                    "format",
                    models.CharField(
                        choices=[("xlsx", "Excel (xlsx)"), ("csv", "Text (csv)")],
                        max_length=8,
                        verbose_name="file format",
                    ),
                ),
                ("personal", models.BooleanField(default=False, verbose_name="with personal data")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                ("next_run_at", models.DateTimeField(blank=True, db_index=True, null=True, verbose_name="next run")),
                ("last_run_at", models.DateTimeField(blank=True, null=True, verbose_name="last run")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures in a row")),
                ("off_at", models.DateTimeField(blank=True, null=True, verbose_name="switched off at")),
                ("off_why", models.JSONField(blank=True, default=dict, verbose_name="why it was switched off")),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "recipients",
                    models.ManyToManyField(
                        blank=True, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="recipients"
                    ),
                ),
                (
                    "view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orders.savedview",
                        verbose_name="saved view",
                    ),
                ),
            ],
            options={
                "verbose_name": "scheduled export",
                "verbose_name_plural": "scheduled exports",
                "ordering": ["-pk"],
                "default_permissions": ["view"],
                "permissions": [("stop_scheduledexport", "Can switch off a colleague's scheduled export")],
            },
        ),
        migrations.AddField(
            model_name="export",
            name="schedule",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="exports",
                to="orders.scheduledexport",
                verbose_name="scheduled export",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.UniqueConstraint(fields=("schedule", "slot"), name="one_export_per_schedule_and_slot"),
        ),
        migrations.AddConstraint(
            model_name="scheduledexport",
            constraint=models.UniqueConstraint(
                fields=("owner", "name"), name="one_scheduled_export_per_owner_and_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("next_run_at__isnull", False), ("off_at__isnull", True)),
                    models.Q(("next_run_at__isnull", True), ("off_at__isnull", False)),
                    _connector="OR",
                ),
                name="scheduled_export_on_or_off",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexport",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekdays", ""), _negated=True), name="scheduled_export_has_weekdays"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexport",
            constraint=models.CheckConstraint(
                condition=Exact(OTHER_LETTERS, models.Value("")), name="scheduled_export_weekdays_are_1_to_7"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexport",
            constraint=models.CheckConstraint(
                condition=models.Q(("personal", False), models.Q(("reason", ""), _negated=True), _connector="OR"),
                name="scheduled_export_says_why",
            ),
        ),
    ]
