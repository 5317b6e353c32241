"""The callbacks of BPM that are kept (contract 3.6). A version before does not know the table."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0011_desk_processes'),
    ]

    operations = [
        migrations.CreateModel(
            name='BpmCallback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('received_at', models.DateTimeField(db_index=True, verbose_name='received at')),
                ('remote_address', models.CharField(blank=True, max_length=64, verbose_name="sender's address")),
                ('http_status', models.PositiveSmallIntegerField(verbose_name='HTTP status')),
                ('why', models.TextField(blank=True, verbose_name='why')),
                ('order_number', models.CharField(blank=True, db_index=True, max_length=64, verbose_name='order number')),
                ('process', models.CharField(blank=True, max_length=128, verbose_name='BPM process')),
                ('signed', models.BooleanField(verbose_name='signed')),
                ('body', models.TextField(blank=True, verbose_name='message')),
                ('length', models.PositiveIntegerField(verbose_name='length in bytes')),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('record', models.JSONField(editable=False, null=True)),
                ('applied_at', models.DateTimeField(blank=True, null=True, verbose_name='applied at')),
            ],
            options={
                'verbose_name': 'BPM callback',
                'verbose_name_plural': 'BPM callbacks',
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('record__isnull', False)), fields=['process'], name='callback_waiting')],
            },
        ),
    ]
