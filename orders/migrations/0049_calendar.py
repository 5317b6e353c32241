"""The calendar of working days."""
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0048_owner_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='CalendarDay',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False, verbose_name='date')),
                ('worked', models.BooleanField(default=False, verbose_name='is a working day')),
                ('name', models.CharField(blank=True, max_length=64, verbose_name='occasion')),
            ],
            options={
                'verbose_name': 'day of the calendar',
                'verbose_name_plural': 'working-day calendar',
                'ordering': ['-day'],
            },
        ),
    ]
