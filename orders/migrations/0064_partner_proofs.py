"""What is known of partners' answers: proofs, holds, kept answers. An attempt's answer may be not understood."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0063_failed_in_time'),
    ]

    operations = [
        migrations.AlterField(
            model_name='attempt',
            name='outcome',
            field=models.CharField(blank=True, choices=[('', 'no answer yet'), ('ok', 'accepted'), ('retry', 'failed for now'), ('unclear', 'not understood'), ('refused', 'refused for good'), ('acted_before', 'acted before, with other bytes'), ('held', 'not right yet'), ('lost', 'the worker died'), ('handed_back', 'not begun, handed back'), ('late', 'came too late to count')], default='', max_length=12, verbose_name='outcome'),
        ),
        migrations.CreateModel(
            name='KeptAnswer',
            fields=[
                ('attempt', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='kept', serialize=False, to='orders.attempt')),
                ('kind', models.CharField(blank=True, max_length=8)),
                ('call', models.CharField(max_length=16)),
                ('read', models.CharField(max_length=16)),
                ('said', models.CharField(blank=True, max_length=32)),
                ('order', models.CharField(max_length=64)),
                ('after', models.BigIntegerField(default=0)),
                ('at', models.DateTimeField()),
                ('http_status', models.PositiveSmallIntegerField(null=True)),
                ('charset', models.CharField(max_length=32)),
                ('raw', models.BinaryField()),
            ],
            options={
                'default_permissions': [],
                'indexes': [models.Index(fields=['kind', 'said', 'at'], name='kept_answers_by_kind')],
            },
        ),
        migrations.CreateModel(
            name='PartnerHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('partner', models.CharField(max_length=16)),
                ('kind', models.CharField(max_length=8)),
                ('call', models.CharField(max_length=16)),
                ('code', models.CharField(max_length=32)),
                ('detail', models.TextField()),
                ('order', models.CharField(max_length=64)),
                ('since', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_by', models.CharField(blank=True, max_length=160)),
            ],
            options={
                'default_permissions': [],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('partner',), name='one_open_hold_per_partner')],
            },
        ),
        migrations.CreateModel(
            name='PartnerProof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=8)),
                ('call', models.CharField(max_length=16)),
                ('rules', models.CharField(max_length=64)),
                ('proven_at', models.DateTimeField()),
                ('order', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'default_permissions': [],
                'constraints': [models.UniqueConstraint(fields=('kind', 'rules'), name='one_proof_per_kind_and_rules')],
            },
        ),
    ]
