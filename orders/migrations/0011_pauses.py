"""Pauses: people hold back the calls to a partner."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_timeline'),
    ]

    operations = [
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('partner', models.CharField(choices=[('bigdata', 'Big data'), ('bpm', 'BPM'), ('mail', 'Mail')], max_length=16, verbose_name='partner')),
                ('reason', models.TextField(verbose_name='reason')),
                ('paused_by', models.CharField(max_length=160, verbose_name='paused by')),
                ('since', models.DateTimeField(verbose_name='since')),
                ('until', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('reminded_at', models.DateTimeField(blank=True, null=True, verbose_name='last reminder')),
                ('resumed_at', models.DateTimeField(blank=True, null=True, verbose_name='went on at')),
                ('resumed_by', models.CharField(blank=True, max_length=160, verbose_name='resumed by')),
            ],
            options={
                'verbose_name': 'pause',
                'verbose_name_plural': 'pauses',
                'ordering': ['-pk'],
                'permissions': [('pause_partner', 'Can pause and resume a partner')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('resumed_at__isnull', True)), fields=('partner',), name='one_open_pause_per_partner'), models.CheckConstraint(condition=models.Q(('partner__in', ['bigdata', 'bpm', 'mail'])), name='pause_partner_known')],
            },
        ),
    ]
