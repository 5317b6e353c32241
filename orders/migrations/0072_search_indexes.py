"""Indexes for any part of a number, a domain or a customer's name. That of orders' names, which each POST wrote, goes."""

from django.db import migrations

from orders.db.indexes import add_trigrams, drop_not_used


class Migration(migrations.Migration):
    atomic = False  # no lock is held until the next statement
    dependencies = [("orders", "0071_search_texts")]
    operations = [
        migrations.RunPython(add_trigrams, migrations.RunPython.noop),
        migrations.RunPython(drop_not_used, migrations.RunPython.noop),
    ]
