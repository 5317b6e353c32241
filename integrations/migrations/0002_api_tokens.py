"""Tokens by which other systems read."""

from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0001_initial'),
        ('orders', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('system', models.CharField(max_length=80, verbose_name='system')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('begins', models.CharField(editable=False, max_length=12, verbose_name='begins with')),
                ('limited', models.BooleanField(default=False, verbose_name='limited to attributions')),
                ('personal', models.BooleanField(default=False, verbose_name='with personal data')),
                ('valid_until', models.DateField(verbose_name='valid until')),
                ('made_by', models.CharField(editable=False, max_length=160, verbose_name='issued by')),
                ('made_at', models.DateTimeField(editable=False, verbose_name='made at')),
                ('revoked_by', models.CharField(blank=True, editable=False, max_length=160, verbose_name='revoked by')),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='revoked at')),
                ('used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used')),
                ('attributions', models.ManyToManyField(blank=True, related_name='+', to='orders.province', verbose_name='attributions')),
            ],
            options={
                'verbose_name': 'API token',
                'verbose_name_plural': 'API tokens',
                'ordering': ['-pk'],
                'permissions': [('revoke_apitoken', 'Can revoke API tokens')],
                'default_permissions': ['view', 'add'],
                'constraints': [models.UniqueConstraint(Lower('system'), condition=models.Q(('revoked_at__isnull', True)), name='one_unrevoked_token_per_system')],
            },
        ),
    ]
