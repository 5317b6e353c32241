"""The search index has one row a text: of orders and of domains. Customers have theirs."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0070_affected_indexes_again'),
    ]

    operations = [
        migrations.CreateModel(
            name='DomainText',
            fields=[
                ('text', models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                'default_permissions': [],
            },
        ),
        migrations.CreateModel(
            name='TextProgress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('orders', models.BigIntegerField()),
                ('older', models.BigIntegerField()),
                ('events', models.BigIntegerField()),
            ],
            options={
                'default_permissions': [],
            },
        ),
        migrations.CreateModel(
            name='OrderText',
            fields=[
                ('order', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='orders.order')),
                ('number', models.TextField()),
                ('product', models.TextField()),
                ('process', models.TextField()),
                ('phone', models.TextField()),
            ],
            options={
                'default_permissions': [],
                'indexes': [models.Index(fields=['product'], name='order_text_product', opclasses=['text_pattern_ops']), models.Index(fields=['process'], name='order_text_process', opclasses=['text_pattern_ops']), models.Index(fields=['phone', 'order'], name='order_text_phone')],
            },
        ),
    ]
