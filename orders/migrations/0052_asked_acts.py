"""Acts that a second person must confirm (contract 3.11)."""

import django.db.models.deletion
import orders.models.asked
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0051_limits_from_the_start'),
    ]

    operations = [
        migrations.CreateModel(
            name='AskedAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('act', models.CharField(choices=orders.models.asked.acts, max_length=32, verbose_name='act')),
                ('decision', models.CharField(blank=True, editable=False, max_length=32)),
                ('right', models.CharField(editable=False, max_length=100)),
                ('target', models.BigIntegerField(editable=False)),
                ('arguments', models.JSONField(blank=True, default=dict, verbose_name='details')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('told', models.JSONField(blank=True, default=list, editable=False)),
                ('by', models.CharField(max_length=160, verbose_name='asked by')),
                ('asker_id', models.BigIntegerField(editable=False)),
                ('via', models.CharField(blank=True, max_length=200, verbose_name='from where')),
                ('asked_at', models.DateTimeField(verbose_name='asked at')),
                ('lapses_at', models.DateTimeField(verbose_name='lapses at')),
                ('state', models.CharField(choices=[('asked', 'To be confirmed'), ('confirmed', 'Confirmed and carried out'), ('called_off', 'Called off'), ('lapsed', 'Lapsed')], default='asked', max_length=12, verbose_name='state')),
                ('ended_by', models.CharField(blank=True, max_length=160, verbose_name='second person')),
                ('ender_id', models.BigIntegerField(editable=False, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended at')),
                ('order', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='asked_acts', to='orders.order', verbose_name='order')),
            ],
            options={
                'verbose_name': 'act for a second person',
                'verbose_name_plural': 'acts for a second person',
                'ordering': ['-pk'],
                'permissions': [('confirm_act', "Can confirm a colleague's act as the second person")],
                'default_permissions': ['view'],
                'indexes': [models.Index(condition=models.Q(('state', 'asked')), fields=['lapses_at'], name='asked_open'), models.Index(fields=['order', 'state'], name='asked_of_order')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'asked')), fields=('act', 'target'), name='one_open_ask'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'confirmed'), _negated=True), models.Q(('ender_id__isnull', False), models.Q(('ender_id', models.F('asker_id')), _negated=True)), _connector='OR'), name='confirmed_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state', 'asked')), models.Q(models.Q(('state', 'asked'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='ask_ended_once')],
            },
        ),
    ]
