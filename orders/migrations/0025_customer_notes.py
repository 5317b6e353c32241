"""Notes of staff on customers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0024_list_indexes_again'),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('by', models.CharField(blank=True, max_length=160, verbose_name='written by')),
                ('account_id', models.BigIntegerField(editable=False, null=True)),
                ('text', models.TextField(verbose_name='note')),
                ('scope', models.JSONField(blank=True, null=True, verbose_name='attributions')),
                ('enterprise_id', models.CharField(max_length=64, verbose_name='enterprise id')),
            ],
            options={
                'verbose_name': 'note on a customer',
                'verbose_name_plural': 'notes on customers',
                'ordering': ['pk'],
                'abstract': False,
                'default_permissions': [],
                'indexes': [models.Index(fields=['enterprise_id'], name='customernote_customer')],
            },
        ),
    ]
