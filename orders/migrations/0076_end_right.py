
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0075_compare_right'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-pk'], 'permissions': [('see_personal_data', 'Can see phones, mails and names of people'), ('resend_order', 'Can resend failed steps'), ('compensate_order', 'Can compensate an order'), ('withdraw_order', 'Can withdraw an order'), ('upload_file', 'Can upload an info-security file'), ('waive_finding', 'Can waive an info-security finding'), ('choose_attribution', 'Can choose an attribution'), ('run_activation', 'Can run a start day by hand'), ('move_start', 'Can move a start day'), ('move_end', "Can move a trial's end"), ('fetch_usage', 'Can ask for trial traffic'), ('add_note', 'Can add a note'), ('give_up_step', 'Can give up a failed billing step'), ('take_books', "Can take the big-data side's books as ours"), ('accept_difference', 'Can accept a difference'), ('compare_order', 'Can compare an order with the big-data side'), ('fix_difference', 'Can put a difference right'), ('decide_order', 'Can make a later decision of BPM the one that counts'), ('proceed_order', 'Can let an order of a closed trial go on'), ('name_domains', 'Can name the domains of a held order'), ('own_order', 'Can take and hand over what needs somebody'), ('push_approval', 'Can push an approval')], 'verbose_name': 'order', 'verbose_name_plural': 'orders'},
        ),
    ]
