"""Acts on many rows, and their rows."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0011_state_since'),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('by', models.CharField(max_length=160, verbose_name='begun by')),
                ('created_at', models.DateTimeField(verbose_name='begun at')),
                ('act', models.CharField(choices=[('resend', 'Resend what failed'), ('attribute', 'Choose the attribution'), ('note', 'Write a note'), ('conflicts', 'Conflicts seen to'), ('incidents', 'Take incidents up')], max_length=16, verbose_name='act')),
                ('query', models.TextField(blank=True, verbose_name='filter')),
                ('words', models.JSONField(blank=True, default=list, verbose_name='filter in words')),
                ('details', models.JSONField(blank=True, default=dict, verbose_name='details')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('token', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('state', models.CharField(choices=[('collecting', 'Rows are noted'), ('waiting', 'Waiting for a worker'), ('running', 'Under way'), ('stopped', 'Stopped'), ('done', 'Finished')], default='collecting', max_length=10, verbose_name='state')),
                ('total', models.PositiveIntegerField(default=0, verbose_name='rows in all')),
                ('done', models.PositiveIntegerField(default=0, verbose_name='carried out')),
                ('failed', models.PositiveIntegerField(default=0, verbose_name='not carried out')),
                ('at_once', models.BooleanField(default=False, editable=False)),
                ('turn', models.PositiveIntegerField(default=0, editable=False)),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('worked_at', models.DateTimeField(editable=False)),
                ('leased_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('error', models.JSONField(blank=True, default=dict, verbose_name='error')),
                ('items_kept', models.BooleanField(default=True, verbose_name='rows are kept')),
            ],
            options={
                'verbose_name': 'bulk run',
                'verbose_name_plural': 'bulk runs',
                'ordering': ['-pk'],
                'permissions': [('stop_bulkrun', "Can stop a colleague's bulk run")],
                'default_permissions': ['view'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['collecting', 'waiting', 'running'])), fields=['worked_at'], name='bulk_run_open'), models.Index(condition=models.Q(('items_kept', True)), fields=['finished_at'], name='bulk_run_kept')],
                'constraints': [models.UniqueConstraint(fields=('by', 'token'), name='one_bulk_run_per_form'), models.UniqueConstraint(condition=models.Q(('at_once', False), ('state', 'running')), fields=('state',), name='one_bulk_run_is_carried_out_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='BulkItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('target', models.BigIntegerField(verbose_name='row')),
                ('state', models.CharField(choices=[('waiting', 'Still to do'), ('done', 'Carried out'), ('failed', 'Not carried out')], default='waiting', max_length=8, verbose_name='outcome')),
                ('why', models.JSONField(blank=True, default=dict, verbose_name='reason')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='orders.bulkrun', verbose_name='bulk run')),
            ],
            options={
                'verbose_name': 'row of a bulk run',
                'verbose_name_plural': 'rows of bulk runs',
                'ordering': ['-run_id', '-target'],
                'default_permissions': ['view'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['run', 'target'], name='bulk_item_waits'), models.Index(condition=models.Q(('state', 'failed')), fields=['run', 'target'], name='bulk_item_failed')],
                'constraints': [models.UniqueConstraint(fields=('run', 'target'), name='one_item_per_run_and_row')],
            },
        ),
    ]
