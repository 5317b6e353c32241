"""Limits in time, sleeping incidents, and what each person was mailed of them."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0049_calendar'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RedWatch',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('told_until', models.DateTimeField()),
                ('mailed_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': [],
            },
        ),
        migrations.AddField(
            model_name='incident',
            name='asleep_until',
            field=models.DateTimeField(blank=True, help_text='till then no mail is written about it', null=True, verbose_name='sleeps until'),
        ),
        migrations.CreateModel(
            name='Digest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('written_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': [],
                'constraints': [models.UniqueConstraint(fields=('account', 'day'), name='one_digest_a_day')],
            },
        ),
        migrations.CreateModel(
            name='TimeLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('awaiting_approval', 'Awaiting approval'), ('held', 'Held'), ('in_progress', 'In progress'), ('conflict', 'Conflict not seen to')], max_length=20, verbose_name='state')),
                ('kind', models.CharField(blank=True, choices=[('trial', 'Trial order'), ('change', 'Trial change'), ('activation', 'Activation')], default='', max_length=16, verbose_name='kind')),
                ('amount', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1, 'A limit is at least 1. To have none, delete it.'), django.core.validators.MaxValueValidator(999)], verbose_name='time limit')),
                ('unit', models.CharField(choices=[('days', 'working days'), ('hours', 'working hours')], default='days', max_length=8, verbose_name='unit')),
                ('attribution', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.province', verbose_name='attribution')),
            ],
            options={
                'verbose_name': 'time limit',
                'verbose_name_plural': 'time limits',
                'ordering': ['state', 'attribution', 'kind'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('attribution', None)), fields=('state', 'kind'), name='one_general_limit', violation_error_message='There is a limit for this state and kind already. Change that one.'), models.UniqueConstraint(condition=models.Q(('attribution__isnull', False)), fields=('state', 'kind', 'attribution'), name='one_limit_per_attribution', violation_error_message='There is a limit for this state, kind and attribution already. Change that one.'), models.CheckConstraint(condition=models.Q(('amount__gte', 1)), name='limit_above_zero')],
            },
        ),
    ]
