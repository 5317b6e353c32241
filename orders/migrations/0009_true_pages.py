"""What pages need to tell the truth: since when a difference is open, when it was checked again, who saw a conflict."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill_found(apps, schema_editor):
    """Until now a difference was as old as the comparison that kept it."""
    began = apps.get_model("orders", "Reconciliation").objects.filter(pk=OuterRef("reconciliation"))
    rows = apps.get_model("orders", "Difference").objects.all()
    rows.update(found_at=Subquery(began.values("started_at")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0008_words_of_incidents_and_strangers'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-pk'], 'permissions': [('see_personal_data', 'Can see phones, mails and names of people'), ('resend_order', 'Can resend failed steps'), ('compensate_order', 'Can compensate an order'), ('withdraw_order', 'Can withdraw an order'), ('waive_finding', 'Can waive an info-security finding'), ('choose_attribution', 'Can choose an attribution'), ('run_activation', 'Can run a start day by hand'), ('fetch_usage', 'Can ask for trial traffic'), ('add_note', 'Can add a note'), ('give_up_step', 'Can give up a failed billing step'), ('take_books', "Can take the big-data side's books as ours"), ('accept_difference', 'Can accept a difference'), ('fix_difference', 'Can put a difference right'), ('decide_order', 'Can make a later decision of BPM the one that counts'), ('proceed_order', 'Can let an order of a closed trial go on'), ('name_domains', 'Can name the domains of a held order')], 'verbose_name': 'order', 'verbose_name_plural': 'orders'},
        ),
        migrations.AddField(
            model_name='difference',
            name='checked_at',
            field=models.DateTimeField(blank=True, help_text='when the books were compared after it was put right', null=True, verbose_name='checked again at'),
        ),
        migrations.AddField(
            model_name='difference',
            name='found_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='when a comparison found it first; kept when it is found anew', verbose_name='found at'),
        ),
        migrations.RunPython(fill_found, migrations.RunPython.noop, elidable=True),
        migrations.AddField(
            model_name='inboundmessage',
            name='seen',
            field=models.ForeignKey(blank=True, db_index=False, help_text='the event that says who has seen to this conflict, when and why', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.orderevent', verbose_name='seen'),
        ),
        migrations.AddIndex(
            model_name='difference',
            index=models.Index(condition=models.Q(('checked_at', None), ('fix__isnull', False), ('state', 'over')), fields=['job_id'], name='difference_unchecked'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(condition=models.Q(('biz_code', '3001'), ('rsp_code', '30000'), ('seen', None)), fields=['order_number'], name='conflict_open'),
        ),
    ]
