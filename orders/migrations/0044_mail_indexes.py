"""The indexes of the mails that are due and of those given up; SQLite has made that table anew."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the indexes beside the work
    dependencies = [("orders", "0043_trail_sending"), ("notifications", "0004_mail_outbox")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
