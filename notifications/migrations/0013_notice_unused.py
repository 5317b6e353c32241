"""No code knows the table of notices any more. It stays for workers of 1.8.0, and is dropped one version later."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0012_carry_notices")]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Notice")]),
        migrations.AlterModelOptions(
            name="mail",
            options={
                "ordering": ["-pk"],
                "permissions": [("view_notice", "Can view mails to staff")],
                "verbose_name": "mail",
                "verbose_name_plural": "mails",
            },
        ),
    ]
