"""Says how large the steps are that are still to be sent: claims are bounded by it (contract 3.9, Leases)."""

from django.db import migrations
from django.db.models import Count

OVER = ["done", "closed", "undone"]
NAMING = ["bpm", "mail", "files"]  # channels whose steps name the order's domains


def fill(apps, schema_editor):
    rows = apps.get_model("orders", "Dispatch").objects.exclude(state__in=OVER)
    for pk, records, about in list(rows.filter(channel="billing").values_list("pk", "records", "about")):
        size = len(records) or len(about.get("fixes", about.get("named", [])))
        rows.filter(pk=pk).update(size=size)
    named = rows.filter(channel__in=NAMING).annotate(domains=Count("order__domains"))
    for pk, domains in list(named.values_list("pk", "domains")):
        rows.filter(pk=pk).update(size=domains)


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_list_indexes_again")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
