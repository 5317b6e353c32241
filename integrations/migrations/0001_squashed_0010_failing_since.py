"""The tables, as version 1.10.0 left them."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("integrations", "0001_initial"),
        ("integrations", "0002_api_tokens"),
        ("integrations", "0003_second_persons"),
        ("integrations", "0004_calls_counted_in_memory"),
        ("integrations", "0005_drop_call_counts"),
        ("integrations", "0006_probe_right"),
        ("integrations", "0007_breaker_codes"),
        ("integrations", "0008_secret_uses"),
        ("integrations", "0009_robots"),
        ("integrations", "0010_failing_since"),
    ]

    dependencies = [
        ("orders", "0001_squashed_0056_sleep_and_scope"),
    ]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("cluster", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="cluster")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("seen_at", models.DateTimeField(verbose_name="last sign of life")),
                ("replaced", models.PositiveIntegerField(default=0, verbose_name="times replaced")),
            ],
            options={
                "verbose_name": "heartbeat",
                "verbose_name_plural": "heartbeats",
                "ordering": ["cluster"],
            },
        ),
        migrations.CreateModel(
            name="LeaseLock",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("holder", models.UUIDField(null=True)),
                ("until", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "lease lock",
                "verbose_name_plural": "lease locks",
            },
        ),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                ("partner", models.CharField(max_length=16, primary_key=True, serialize=False, verbose_name="partner")),
                ("failures", models.PositiveIntegerField(default=0, verbose_name="transport failures in a row")),
                ("dispatches", models.JSONField(default=list, verbose_name="dispatches that failed")),
                ("opened_at", models.DateTimeField(blank=True, null=True, verbose_name="open since")),
                ("probe_at", models.DateTimeField(blank=True, null=True, verbose_name="next probe")),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                (
                    "last_code",
                    models.CharField(blank=True, editable=False, max_length=32, null=True, verbose_name="error code"),
                ),
                ("last_error", models.TextField(blank=True, verbose_name="last error")),
            ],
            options={
                "verbose_name": "breaker",
                "verbose_name_plural": "breakers",
                "ordering": ["partner"],
                "permissions": [("probe_partners", "Can make test calls")],
            },
        ),
        migrations.CreateModel(
            name="SecretUse",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="ToldIncident",
            fields=[
                (
                    "incident",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="orders.incident",
                    ),
                ),
                ("orders", models.PositiveIntegerField()),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="RobotAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="orders.incident"
                    ),
                ),
                (
                    "event",
                    models.CharField(
                        choices=[("opened", "Opened"), ("grown", "Grown"), ("over", "Over")], max_length=8
                    ),
                ),
                ("orders", models.PositiveIntegerField()),
                ("is_ignored", models.BooleanField(default=False)),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="RobotState",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("heard", models.BigIntegerField()),
                ("calls", models.JSONField(default=list)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=64)),
                ("given_up_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("system", models.CharField(max_length=80, verbose_name="system")),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("begins", models.CharField(editable=False, max_length=12, verbose_name="begins with")),
                ("limited", models.BooleanField(default=False, verbose_name="limited to attributions")),
                (
                    "attributions",
                    models.ManyToManyField(
                        blank=True, related_name="+", to="orders.province", verbose_name="attributions"
                    ),
                ),
                ("personal", models.BooleanField(default=False, verbose_name="with personal data")),
                ("valid_until", models.DateField(verbose_name="valid until")),
                ("made_by", models.CharField(editable=False, max_length=160, verbose_name="issued by")),
                ("maker_id", models.BigIntegerField(editable=False, null=True)),
                ("made_at", models.DateTimeField(editable=False, verbose_name="made at")),
                (
                    "judged_by",
                    models.CharField(editable=False, max_length=160, null=True, verbose_name="second person"),
                ),
                ("judge_id", models.BigIntegerField(editable=False, null=True)),
                ("judged_at", models.DateTimeField(editable=False, null=True, verbose_name="agreed at")),
                ("revoked_by", models.CharField(blank=True, editable=False, max_length=160, verbose_name="revoked by")),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked at")),
                ("used_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used")),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-pk"],
                "permissions": [("revoke_apitoken", "Can revoke API tokens")],
                "default_permissions": ["view", "add"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("system"),
                        condition=models.Q(("revoked_at__isnull", True)),
                        name="one_unrevoked_token_per_system",
                    )
                ],
            },
        ),
    ]
