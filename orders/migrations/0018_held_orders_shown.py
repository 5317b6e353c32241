"""What earlier versions left is shown as this version shows it.

Orders that are held before their plan have their trial's attribution and customer. Records of withdrawn orders that
never went out count as deleted.
"""

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


def delete_never_sent(apps, schema_editor) -> None:
    """BATCH records at a time. It may be run again."""
    records, last = apps.get_model("orders", "BillingRecord").objects.using(schema_editor.connection.alias), 0
    never_sent = records.filter(state="to_send", order__state="withdrawn").order_by("pk").values_list("pk", flat=True)
    while batch := list(never_sent.filter(pk__gt=last)[:BATCH]):
        last = batch[-1]
        records.filter(pk__in=batch, state="to_send").update(state="deleted")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0017_endings")]
    operations = [
        migrations.RunPython(show, migrations.RunPython.noop),
        migrations.RunPython(delete_never_sent, migrations.RunPython.noop),
    ]
