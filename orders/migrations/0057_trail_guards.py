"""The triggers that keep events and log entries too, and those of the trail's own rows against REPLACE on SQLite; see
orders.db.trail_guard. On PostgreSQL a statement waits for those who write, and holds the table for a moment."""

from django.db import migrations

from orders.db.trail_guard import entries, events, journal


class Migration(migrations.Migration):
    atomic = False  # each statement is one of its own, and a run that was stopped is run again
    dependencies = [("orders", "0056_sleep_and_scope"), ("admin", "0003_logentry_add_action_flag_choices")]
    operations = [
        migrations.RunPython(entries.install, migrations.RunPython.noop),
        migrations.RunPython(events.install, events.remove),
        migrations.RunPython(journal.install, journal.remove),
    ]
