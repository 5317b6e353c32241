"""No code knows the step of a mail any more. The column stays, NULL in new rows, and is dropped one version later."""

from django.db import migrations, models

STATES = [
    ("due", "Due"),
    ("sending", "Being sent"),
    ("retrying", "Retrying"),
    ("done", "Sent"),
    ("failed", "Failed"),
    ("closed", "Closed"),
]
STATE = {"choices": STATES, "db_default": "", "default": "due", "max_length": 10, "verbose_name": "state"}


class Migration(migrations.Migration):
    dependencies = [("notifications", "0013_notice_unused"), ("orders", "0059_mail_steps_over")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("mail", "dispatch"),
                migrations.AlterField("mail", "state", models.CharField(**STATE)),
            ]
        )
    ]
