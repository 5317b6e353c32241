"""Notes since when orders are in their state, of those that came before the desk noted it: since their last move, else
since they came. It may be stopped and run again, and each statement is one of its own."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

BATCH = 500


def fill(apps, schema_editor):
    orders, events = apps.get_model("orders", "Order").objects, apps.get_model("orders", "OrderEvent").objects
    moves = events.filter(order=OuterRef("pk"), kind="state").order_by("-pk").values("at")[:1]
    left, last = orders.filter(state_since=None).order_by("pk"), 0
    while ids := list(left.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        orders.filter(pk__in=ids, state_since=None).update(state_since=Coalesce(Subquery(moves), F("received_at")))
        last = ids[-1]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0038_drop_bulk_token")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
