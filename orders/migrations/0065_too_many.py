"""An order may be held for more records than the big-data side takes in a call."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0064_partner_proofs'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='held_because',
            field=models.CharField(blank=True, choices=[('', 'not held'), ('trial_unknown', 'its trial has not arrived yet'), ('trial_closed', 'its trial is withdrawn or ended'), ('claim_held', 'an activation holds the trial'), ('trial_busy', 'an activation of the trial is being undone'), ('trial_held', 'its trial is itself held'), ('attribution_unknown', 'attribution unknown'), ('domains_missing', 'domains missing'), ('too_many', 'more records than the big-data side takes in a call'), ('files', 'info-security files are not right')], default='', max_length=24, verbose_name='held because'),
        ),
    ]
