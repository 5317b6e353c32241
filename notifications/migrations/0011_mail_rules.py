"""Rules for who is mailed, and with each mail why its recipients were chosen."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('notifications', '0005_mail_once'),
        ('orders', '0043_trail_sending'),
    ]

    operations = [
        migrations.AddField(
            model_name='mail',
            name='chosen',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name='MailRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(blank=True, max_length=32, verbose_name='event')),
                ('order_kind', models.CharField(blank=True, max_length=16, verbose_name='order kind')),
                ('to_sa', models.BooleanField(default=True, verbose_name='to the SA contacts')),
                ('to_copies', models.BooleanField(default=True, verbose_name='to those who get copies')),
                ('to_default', models.BooleanField(default=False, verbose_name='to the default contact')),
                ('attribution', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.province', verbose_name='attribution')),
                ('contact', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='notifications.contact', verbose_name='to a contact')),
                ('role', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='auth.group', verbose_name="to a role's accounts")),
            ],
            options={
                'verbose_name': 'mail rule',
                'verbose_name_plural': 'mail rules',
                'ordering': ['attribution', 'event', 'order_kind'],
                'constraints': [models.UniqueConstraint(fields=('attribution', 'event', 'order_kind'), name='one_mail_rule_per_scope', violation_error_message='There is a rule for exactly these mails already. Change that one.'), models.UniqueConstraint(condition=models.Q(('attribution', None)), fields=('event', 'order_kind'), name='one_mail_rule_for_all_places', violation_error_message='There is a rule for exactly these mails already. Change that one.')],
            },
        ),
    ]
