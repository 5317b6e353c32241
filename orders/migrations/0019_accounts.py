"""Ids of accounts beside their names (export, run, event)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0018_held_orders_shown'),
    ]

    operations = [
        migrations.AddField(
            model_name='bulkrun',
            name='maker_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='export',
            name='judge_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='export',
            name='maker_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='orderevent',
            name='account_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='export',
            index=models.Index(fields=['maker_id', '-id'], name='export_maker'),
        ),
    ]
