"""Drops the column of a mail's step, which no code knows since 1.9.0. 0014 took it out of what Django knows, so it is put back there
first. No state is empty any more, so the column's default is that of a new mail.
"""

import django.db.models.deletion
from django.db import migrations, models

STATES = [
    ("due", "Due"),
    ("sending", "Being sent"),
    ("retrying", "Retrying"),
    ("done", "Sent"),
    ("failed", "Failed"),
    ("closed", "Closed"),
]
STATE = {"choices": STATES, "db_default": "due", "default": "due", "max_length": 10, "verbose_name": "state"}
STEP = {"null": True, "on_delete": django.db.models.deletion.PROTECT, "related_name": "mail", "to": "orders.dispatch"}


class Migration(migrations.Migration):
    dependencies = [("notifications", "0014_mail_of_its_own")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AddField("mail", "dispatch", models.OneToOneField(**STEP))]
        ),
        migrations.RemoveField("mail", "dispatch"),
        migrations.AlterField("mail", "state", models.CharField(**STATE)),
    ]
