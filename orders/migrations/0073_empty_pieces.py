"""Empties the search index of 1.10.0 and 1.11.0, which nothing reads any more. Its tables and `orders_bulkrun.upto` stay
while a desk may go back to 1.10.0.

The three tables go together: 1.10.0, after going back, then indexes all orders anew, and says so until it is done.
TRUNCATE waits for nobody who reads orders, and takes no longer on a large table. A draft of 1.10.0 that lacks rows can't
be confirmed any more, as it could not in 1.12.0.
"""

from django.db import migrations
from django.utils import timezone

TABLES = ["orders_searchprogress", "orders_indexedorder", "orders_searchpiece"]


def empty(apps, schema_editor) -> None:
    whole = [f"TRUNCATE {', '.join(TABLES)}"]
    one_by_one = [f"DELETE FROM {table}" for table in TABLES]  # SQLite frees the pages without reading the rows
    for statement in whole if schema_editor.connection.vendor == "postgresql" else one_by_one:
        schema_editor.execute(statement)


def end_drafts(apps, schema_editor) -> None:
    drafts = apps.get_model("orders", "BulkRun").objects.using(schema_editor.connection.alias)
    drafts.filter(state="collecting", upto__isnull=False, finished_at=None).update(finished_at=timezone.now())


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0072_search_indexes")]
    operations = [
        migrations.RunPython(empty, migrations.RunPython.noop),
        migrations.RunPython(end_drafts, migrations.RunPython.noop),
    ]
