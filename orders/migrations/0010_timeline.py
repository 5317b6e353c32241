"""Gives the database a name, by which each machine remembers how far it has seen it (contract 5, `restored`)."""

import orders.models.timeline
from django.db import migrations, models
from django.utils import timezone


def begin(apps, schema_editor):
    rows = apps.get_model("orders", "Timeline").objects.using(schema_editor.connection.alias)
    if not rows.exists():
        rows.create(begun_at=timezone.now())


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0009_true_pages'),
    ]

    operations = [
        migrations.CreateModel(
            name='Timeline',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(default=orders.models.timeline.new_name, max_length=32, unique=True, verbose_name='name')),
                ('begun_at', models.DateTimeField(verbose_name='begun at')),
                ('begun_by', models.CharField(blank=True, max_length=160, verbose_name='begun by')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('last_order', models.BigIntegerField(default=0, verbose_name='last order from before')),
                ('last_attempt', models.BigIntegerField(default=0, verbose_name='last attempt from before')),
                ('last_event', models.BigIntegerField(default=0, verbose_name='last event from before')),
                ('restored_at', models.DateTimeField(blank=True, help_text='since when it counts as restored; nothing is sent', null=True, verbose_name='restored at')),
                ('restored', models.JSONField(blank=True, default=dict, help_text='machine; newest: the event it has; seen: the event that the machine had seen; backup', verbose_name='how that is known')),
            ],
            options={
                'verbose_name': 'stretch between restores',
                'verbose_name_plural': 'stretches between restores',
                'ordering': ['pk'],
                'permissions': [('release_restored', 'Can say that a restored desk may send again')],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
