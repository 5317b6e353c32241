"""Fills the columns that repairs need for rows that were there before: what may have acted, plans, changes, sizes."""

from django.db import migrations
from django.db.models import Count

OVER = ["done", "closed", "undone"]
NAMING = ["bpm", "mail", "files"]  # channels whose steps name the order's domains
GIVEN = {"ProvContent": "domains", "BusinessType": "service_type", "DataFlow": "data_flow", "BizEnd": "biz_end"}


def fill_sizes(apps, schema_editor):
    """How large the steps are that are still to be sent: claims are bounded by it (contract 3.9, Leases)."""
    rows = apps.get_model("orders", "Dispatch").objects.exclude(state__in=OVER)
    for pk, records, about in list(rows.filter(channel="billing").values_list("pk", "records", "about")):
        rows.filter(pk=pk).update(size=len(records) or len(about.get("fixes", about.get("named", []))))
    named = rows.filter(channel__in=NAMING).annotate(domains=Count("order__domains"))
    for pk, domains in list(named.values_list("pk", "domains")):
        rows.filter(pk=pk).update(size=domains)


def fill_acts(apps, schema_editor):
    """What was attempted, and not refused at its only attempt, may have acted."""
    rows = apps.get_model("orders", "Dispatch").objects.filter(attempts__gt=0)
    rows.exclude(state="failed", definite=True, attempts=1).update(may_have_acted=True)
    apps.get_model("orders", "Order").objects.filter(planned_at__isnull=False).update(plans=1)


def number_changes(apps, schema_editor):
    """Until now a clock said which change is the last."""
    orders = apps.get_model("orders", "Order").objects
    changes = orders.filter(kind="change", planned_at__isnull=False).order_by("trial", "planned_at", "pk")
    trial, number = None, 0
    for pk, of, undone in changes.values_list("pk", "trial", "undo_since"):
        number = number + 1 if of == trial else 1
        trial = of
        orders.filter(pk=pk).update(change_number=number, in_effect=undone is None)


def note_what_was_given(apps, schema_editor):
    """What an order's message gave of what it takes from its trial otherwise."""
    orders = apps.get_model("orders", "Order").objects
    for pk, content in orders.values_list("pk", "content").iterator(chunk_size=1000):
        given = [name for member, name in GIVEN.items() if isinstance(content, dict) and content.get(member)]
        if given:
            orders.filter(pk=pk).update(given=given)


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_repairs")]
    operations = [
        migrations.RunPython(step, migrations.RunPython.noop, elidable=True)
        for step in (fill_sizes, fill_acts, number_changes, note_what_was_given)
    ]
