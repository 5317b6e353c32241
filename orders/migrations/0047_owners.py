"""Whose an order, an incident and a difference is while it needs somebody; orders.0048 makes the indexes."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

OWNER = {
    "blank": True,
    "db_constraint": False,
    "db_index": False,
    "null": True,
    "on_delete": django.db.models.deletion.SET_NULL,
    "related_name": "+",
    "to": settings.AUTH_USER_MODEL,
    "verbose_name": "owner",
}
SINCE = {"blank": True, "null": True, "verbose_name": "owner since"}

RIGHTS = [
    ("see_personal_data", "Can see phones, mails and names of people"),
    ("resend_order", "Can resend failed steps"),
    ("compensate_order", "Can compensate an order"),
    ("withdraw_order", "Can withdraw an order"),
    ("upload_file", "Can upload an info-security file"),
    ("waive_finding", "Can waive an info-security finding"),
    ("choose_attribution", "Can choose an attribution"),
    ("run_activation", "Can run a start day by hand"),
    ("move_start", "Can move a start day"),
    ("fetch_usage", "Can ask for trial traffic"),
    ("add_note", "Can add a note"),
    ("give_up_step", "Can give up a failed billing step"),
    ("take_books", "Can take the big-data side's books as ours"),
    ("accept_difference", "Can accept a difference"),
    ("fix_difference", "Can put a difference right"),
    ("decide_order", "Can make a later decision of BPM the one that counts"),
    ("proceed_order", "Can let an order of a closed trial go on"),
    ("name_domains", "Can name the domains of a held order"),
    ("own_order", "Can take and hand over what needs somebody"),
]
ACTS = [
    ("resend", "Resend what failed"),
    ("attribute", "Choose the attribution"),
    ("note", "Write a note"),
    ("conflicts", "Conflicts seen to"),
    ("incidents", "Take incidents up"),
    ("own_orders", "Hand over"),
    ("own_incidents", "Hand over"),
    ("own_differences", "Hand over"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0046_move_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AlterModelOptions(
            name="order",
            options={
                "ordering": ["-pk"],
                "permissions": RIGHTS,
                "verbose_name": "order",
                "verbose_name_plural": "orders",
            },
        ),
        migrations.AlterField(
            model_name="bulkrun",
            name="act",
            field=models.CharField(choices=ACTS, max_length=16, verbose_name="act"),
        ),
        migrations.AddField(model_name="difference", name="owner", field=models.ForeignKey(**OWNER)),
        migrations.AddField(model_name="difference", name="owner_since", field=models.DateTimeField(**SINCE)),
        migrations.AddField(model_name="incident", name="owner_since", field=models.DateTimeField(**SINCE)),
        migrations.AddField(model_name="order", name="owner", field=models.ForeignKey(**OWNER)),
        migrations.AddField(model_name="order", name="owner_since", field=models.DateTimeField(**SINCE)),
    ]
