"""The step that posts billing records with their corrected attribution."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0067_doubts_by_call'),
    ]

    operations = [
        migrations.AlterField(
            model_name='dispatch',
            name='step',
            field=models.CharField(choices=[('check_files', 'Check info-security files'), ('fetch_usage', 'Fetch trial traffic'), ('create_trial_billing', 'Create trial records'), ('cancel_trial_billing', 'Cancel trial records'), ('extend_trial_billing', 'Post trial records with their new end'), ('create_billing', 'Create commercial records'), ('move_start_billing', 'Move the start of commercial records'), ('cancel_billing', 'Cancel commercial records'), ('start_bpm', 'Start the BPM process'), ('delete_billing', 'Delete commercial records'), ('verify_deleted', 'Verify that the records are gone'), ('restore_trial_billing', 'Restore trial records'), ('ask_billing', 'Ask what the big-data side holds'), ('mail_sent_to_bpm', 'Mail: sent to BPM'), ('mail_billed', 'Mail: billing went out'), ('mail_rejected', 'Mail: rejected'), ('mail_held', 'Mail: held'), ('mail_incident', 'Mail: incident'), ('mail_incident_over', 'Mail: incident over'), ('mail_reconciled', 'Mail: reconciliation'), ('fix_create_billing', 'Reconciliation: send records again'), ('fix_delete_billing', 'Reconciliation: delete records'), ('move_attribution_billing', 'Post records with their corrected attribution')], max_length=32, verbose_name='step'),
        ),
    ]
