"""Customers and the search index. The worker fills both: orders/search/index.py."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0006_exports'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchPiece',
            fields=[
                ('pk', models.CompositePrimaryKey('kind', 'piece', 'before', 'target', blank=True, editable=False, primary_key=True, serialize=False)),
                ('kind', models.PositiveSmallIntegerField(choices=[(1, 'Number'), (2, 'Customer'), (3, 'Domain'), (4, 'Product'), (5, 'Process'), (6, 'Phone')])),
                ('piece', models.BinaryField(max_length=1024)),
                ('before', models.CharField(max_length=4)),
                ('target', models.BigIntegerField()),
            ],
            options={
                'default_permissions': [],
            },
        ),
        migrations.CreateModel(
            name='SearchProgress',
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
            name='Customer',
            fields=[
                ('enterprise_id', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='enterprise id')),
                ('name', models.CharField(blank=True, max_length=255, verbose_name='enterprise name')),
                ('first_seen', models.DateTimeField(verbose_name='first order')),
                ('last_seen', models.DateTimeField(verbose_name='last order')),
                ('attributions', models.ManyToManyField(related_name='+', to='orders.province', verbose_name='attributions')),
                ('last_order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.order', verbose_name='newest order')),
            ],
            options={
                'verbose_name': 'customer',
                'verbose_name_plural': 'customers',
                'ordering': ['-last_order_id'],
                'default_permissions': ['view'],
            },
        ),
        migrations.CreateModel(
            name='IndexedOrder',
            fields=[
                ('order', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='indexed', serialize=False, to='orders.order')),
                ('customer', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='orders.customer')),
            ],
            options={
                'default_permissions': [],
                'indexes': [models.Index(fields=['customer', 'order'], name='indexed_order_customer')],
            },
        ),
    ]
