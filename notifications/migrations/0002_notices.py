"""Mails to staff about no order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                ("message_id", models.CharField(max_length=255, unique=True, verbose_name="Message-ID")),
                ("recipients", models.JSONField(default=list, verbose_name="recipients")),
                ("subject", models.CharField(max_length=255, verbose_name="subject")),
                ("body", models.TextField(verbose_name="text")),
                ("written_at", models.DateTimeField(verbose_name="written at")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "Due"),
                            ("sending", "Being sent"),
                            ("retrying", "Retrying"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                        ],
                        default="due",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="next try")),
                ("lease_token", models.UUIDField(blank=True, editable=False, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                ("error_code", models.CharField(blank=True, max_length=32, verbose_name="error code")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("error_params", models.JSONField(blank=True, default=dict, editable=False)),
            ],
            options={
                "verbose_name": "notice to staff",
                "verbose_name_plural": "notices to staff",
                "ordering": ["-pk"],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)), fields=["next_try_at"], name="notice_due"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("next_try_at__isnull", True), ("state__in", ["sent", "failed"])),
                            models.Q(("next_try_at__isnull", False), ("state__in", ["due", "sending", "retrying"])),
                            _connector="OR",
                        ),
                        name="notice_open_or_over",
                    )
                ],
            },
        ),
    ]
