"""Drops the counts of calls: the version before counts in memory too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_calls_counted_in_memory")]
    operations = [migrations.RunSQL("DROP TABLE integrations_callcount", migrations.RunSQL.noop)]
