"""Which process of BPM a record is about."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_list_indexes")]
    operations = [
        migrations.AddField(
            model_name="approvalrecord",
            name="process_key",
            field=models.UUIDField(editable=False, null=True),
        ),
    ]
