"""The approval history, as version 1.10.0 left it, with the triggers that keep its rows and the indexes of its list."""

import django.db.models.deletion
from django.db import migrations, models

from approvals.append_only import install, remove

INDEXES = {"approval_time": "time", "approval_node": "node_name, id DESC", "approval_operator": "operator, id DESC"}


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("approvals", "0001_initial"),
        ("approvals", "0002_append_only"),
        ("approvals", "0003_list_indexes"),
        ("approvals", "0004_process_key"),
    ]

    dependencies = [
        ("orders", "0001_squashed_0056_sleep_and_scope"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("record_id", models.CharField(max_length=128, unique=True, verbose_name="record id")),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("bpm", "BPM"), ("staff", "Staff")], default="bpm", max_length=8, verbose_name="source"
                    ),
                ),
                ("node", models.CharField(blank=True, max_length=128, verbose_name="node")),
                ("node_name", models.CharField(blank=True, max_length=255, verbose_name="node name")),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("pass", "Passed"),
                            ("reject", "Rejected"),
                            ("return", "Returned"),
                            ("waive", "Waived"),
                        ],
                        max_length=8,
                        verbose_name="result",
                    ),
                ),
                ("operator", models.CharField(blank=True, max_length=255, verbose_name="operator")),
                ("opinion", models.TextField(blank=True, verbose_name="opinion")),
                ("time", models.DateTimeField(verbose_name="decided at")),
                ("finished", models.BooleanField(default=False, verbose_name="finished")),
                ("body_hash", models.CharField(editable=False, max_length=64)),
                ("received_at", models.DateTimeField(verbose_name="received at")),
                ("process_key", models.UUIDField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "approval record",
                "verbose_name_plural": "approval records",
                "ordering": ["pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("result__in", ["pass", "reject", "return", "waive"])),
                        name="approval_result_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("finished", False), ("result__in", ["pass", "reject"]), _connector="OR"),
                        name="finished_is_pass_or_reject",
                    ),
                ],
            },
        ),
        migrations.RunPython(install, remove),
        *(
            migrations.RunSQL(
                f"CREATE INDEX IF NOT EXISTS {name} ON approvals_approvalrecord ({columns})",
                f"DROP INDEX IF EXISTS {name}",
            )
            for name, columns in INDEXES.items()
        ),
    ]
