"""Indexes for the filters of the approval history."""

from django.db import migrations

COLUMNS = {"approval_time": "time", "approval_node": "node_name, id DESC", "approval_operator": "operator, id DESC"}


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_append_only")]
    operations = [
        migrations.RunSQL(
            f"CREATE INDEX IF NOT EXISTS {name} ON approvals_approvalrecord ({columns})",
            f"DROP INDEX IF EXISTS {name}",
        )
        for name, columns in COLUMNS.items()
    ]
