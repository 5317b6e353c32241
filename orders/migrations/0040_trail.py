"""The trail (审计); orders.0041 makes the triggers that keep its rows."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0039_state_since_filled'),
    ]

    operations = [
        migrations.CreateModel(
            name='TrailEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, verbose_name='at')),
                ('keep_until', models.DateTimeField(verbose_name='kept until')),
                ('actor', models.CharField(blank=True, max_length=160, verbose_name='actor')),
                ('account_id', models.BigIntegerField(editable=False, null=True)),
                ('code', models.CharField(choices=[('login', 'Logged in'), ('login_failed', 'Failed to log in'), ('login_locked', 'Log-in locked after failures'), ('login_refused', "The company log-in's person was not let in"), ('logout', 'Logged out'), ('command', 'Ran a command'), ('settings', 'Started with other settings')], max_length=32, verbose_name='act')),
                ('about', models.CharField(blank=True, max_length=200, verbose_name='about')),
                ('address', models.CharField(blank=True, max_length=200, verbose_name='from where')),
                ('data', models.JSONField(blank=True, default=dict, verbose_name='details')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit',
                'ordering': ['pk'],
                'default_permissions': ['view'],
                'indexes': [models.Index(fields=['actor'], name='trail_of_person'), models.Index(fields=['about'], name='trail_about')],
            },
        ),
    ]
