"""Fills the service that changes gave to trials, and makes the index by which orders of a service are found.

Only trials whose service was changed are written. What a worker of the version before changes meanwhile is put right
by the folding that follows an upgrade.
"""

import datetime
from collections import defaultdict

from django.db import migrations
from django.db.models import F, Q
from django.utils import timezone

from orders.db.indexes import drop_not_used, install

SOON = datetime.timedelta(minutes=10)  # processes of the version before are gone by then
FOLDS = "integrations.tasks.compare_after_upgrade"
BATCH = 500


def fill(apps, schema_editor) -> None:
    """May run again after it was stopped."""
    orders = apps.get_model("orders", "Order").objects
    own = Q(shape__service="") | Q(shape__service=F("service_type_id"), service_type__isnull=False)
    changed = defaultdict(list)
    for pk, service in orders.filter(shape__isnull=False).exclude(own).values_list("pk", "shape__service"):
        changed[service].append(pk)
    for service, ids in changed.items():
        for start in range(0, len(ids), BATCH):
            orders.filter(pk__in=ids[start : start + BATCH]).update(changed_service=service)
    schedules = apps.get_model("django_q", "Schedule").objects
    if orders.filter(kind="trial").exists() and not schedules.filter(func=FOLDS).exists():
        schedules.create(name="compare_after_upgrade", func=FOLDS, schedule_type="O", next_run=timezone.now() + SOON)


def drop_index(apps, schema_editor) -> None:
    """SQLite can't drop a column that an index names."""
    schema_editor.execute("DROP INDEX IF EXISTS order_service")


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table, and a run that was stopped goes on where it was
    dependencies = [("django_q", "0018_task_success_index"), ("orders", "0033_changed_service")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(install, drop_index),
        migrations.RunPython(drop_not_used, migrations.RunPython.noop),
    ]
