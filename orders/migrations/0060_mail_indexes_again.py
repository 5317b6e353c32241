"""SQLite has made the table of mails anew, without the lists' indexes."""

from django.db import migrations

from orders.db.indexes import install


class Migration(migrations.Migration):
    atomic = False  # on PostgreSQL the indexes are there; where one is not, it is made beside the work
    dependencies = [("orders", "0059_mail_steps_over"), ("notifications", "0015_drop_mail_step")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
