"""How far the trail has gone to AUDIT_SYSLOG. What the trail may hold is no part of migrations any more."""

from django.db import migrations, models

from orders.models.trail import codes


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0042_trail_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='TrailSending',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('entries', models.BigIntegerField(default=0)),
                ('events', models.BigIntegerField(default=0)),
                ('journal', models.BigIntegerField(default=0)),
                ('failing_since', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'default_permissions': [],
            },
        ),
        migrations.AlterField(
            model_name='trailentry',
            name='code',
            field=models.CharField(choices=codes, max_length=32, verbose_name='act'),
        ),
    ]
