"""Cells of an uploaded workbook can be put right in the page. The end day that a message gave is called so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0025_customer_notes")]
    operations = [
        migrations.AddField(
            model_name="trialupload",
            name="corrections",
            field=models.JSONField(
                blank=True,
                help_text="{cell: text} that its maker put right in the page",
                null=True,
                verbose_name="corrections",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="biz_end",
            field=models.DateField(blank=True, null=True, verbose_name="end day of the message"),
        ),
    ]
