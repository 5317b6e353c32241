"""Who agreed to a token that shows personal data, and ids of accounts beside their names."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0002_api_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='judge_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='judged_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='agreed at'),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='judged_by',
            field=models.CharField(editable=False, max_length=160, null=True, verbose_name='second person'),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='maker_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
    ]
