"""What errors and incidents say is kept as a code with parameters, beside the English of the logs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0011_pauses'),
    ]

    operations = [
        migrations.AddField(
            model_name='dispatch',
            name='error_params',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='incident',
            name='detail_params',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='affectedorder',
            name='detail_params',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
    ]
