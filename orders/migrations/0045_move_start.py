"""The step that moves the start of commercial records, and the right to ask for it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0044_mail_indexes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-pk'], 'permissions': [('see_personal_data', 'Can see phones, mails and names of people'), ('resend_order', 'Can resend failed steps'), ('compensate_order', 'Can compensate an order'), ('withdraw_order', 'Can withdraw an order'), ('upload_file', 'Can upload an info-security file'), ('waive_finding', 'Can waive an info-security finding'), ('choose_attribution', 'Can choose an attribution'), ('run_activation', 'Can run a start day by hand'), ('move_start', 'Can move a start day'), ('fetch_usage', 'Can ask for trial traffic'), ('add_note', 'Can add a note'), ('give_up_step', 'Can give up a failed billing step'), ('take_books', "Can take the big-data side's books as ours"), ('accept_difference', 'Can accept a difference'), ('fix_difference', 'Can put a difference right'), ('decide_order', 'Can make a later decision of BPM the one that counts'), ('proceed_order', 'Can let an order of a closed trial go on'), ('name_domains', 'Can name the domains of a held order')], 'verbose_name': 'order', 'verbose_name_plural': 'orders'},
        ),
        migrations.AlterField(
            model_name='dispatch',
            name='step',
            field=models.CharField(choices=[('check_files', 'Check info-security files'), ('fetch_usage', 'Fetch trial traffic'), ('create_trial_billing', 'Create trial records'), ('cancel_trial_billing', 'Cancel trial records'), ('extend_trial_billing', 'Post trial records with their new end'), ('create_billing', 'Create commercial records'), ('move_start_billing', 'Move the start of commercial records'), ('cancel_billing', 'Cancel commercial records'), ('start_bpm', 'Start the BPM process'), ('delete_billing', 'Delete commercial records'), ('verify_deleted', 'Verify that the records are gone'), ('restore_trial_billing', 'Restore trial records'), ('ask_billing', 'Ask what the big-data side holds'), ('mail_sent_to_bpm', 'Mail: sent to BPM'), ('mail_billed', 'Mail: billing went out'), ('mail_rejected', 'Mail: rejected'), ('mail_held', 'Mail: held'), ('mail_incident', 'Mail: incident'), ('mail_incident_over', 'Mail: incident over'), ('mail_reconciled', 'Mail: reconciliation'), ('fix_create_billing', 'Reconciliation: send records again'), ('fix_delete_billing', 'Reconciliation: delete records')], max_length=32, verbose_name='step'),
        ),
    ]
