"""Orders that are held before their plan show their trial's attribution and customer, as those of this version do."""

from django.db import migrations

BATCH = 500
SHOWN = ["attribution_id", "enterprise_id", "enterprise_name"]


def show(apps, schema_editor) -> None:
    """Copies what a trial has into the orders that wait for it, BATCH at a time. It may be run again."""
    orders, last = apps.get_model("orders", "Order").objects.using(schema_editor.connection.alias), 0
    held = orders.filter(state="held", planned_at=None, trial__isnull=False, enterprise_id="")
    rows = held.select_related("trial").only("pk", *(f"trial__{name}" for name in SHOWN)).order_by("pk")
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        for row in batch:  # one that was planned meanwhile is left alone
            held.filter(pk=row.pk).update(**{name: getattr(row.trial, name) for name in SHOWN})


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0017_endings")]
    operations = [migrations.RunPython(show, migrations.RunPython.noop)]
