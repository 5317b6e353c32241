"""What a version before knew of trials in other ways, for their shapes (contract 3.9, 19).

A migration folds nothing: what differs from the shapes is named by one comparison of everything, which runs once.
"""

import datetime
from zoneinfo import ZoneInfo

from django.db import migrations
from django.db.models import Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from orders.db.indexes import install

SHANGHAI = ZoneInfo("Asia/Shanghai")
SOON = datetime.timedelta(minutes=10)  # processes of the version before are gone by then
COMPARES = "integrations.tasks.compare_after_upgrade"
BATCH = 500


def carry_over(apps, schema_editor) -> None:
    """May run again after it was stopped."""
    orders = apps.get_model("orders", "Order").objects
    if not orders.filter(kind="trial").exists():
        return
    _let_given_up_changes_stand(apps)
    # A withdrawn change on which others rested was in effect until now.
    changes = orders.filter(kind="change", state="withdrawn", in_effect=True)
    changes.exclude(trial__state="withdrawn").update(in_effect=False)
    _note_endings(apps, orders)
    schedules = apps.get_model("django_q", "Schedule").objects
    if not schedules.filter(func=COMPARES).exists():
        schedules.create(name="compare_after_upgrade", func=COMPARES, schedule_type="O", next_run=timezone.now() + SOON)


def _let_given_up_changes_stand(apps) -> None:
    """What a given-up change did stands in its row and its list, whatever its message gave."""
    given_up = apps.get_model("orders", "Dispatch").objects.filter(
        state="given_up", superseded=False, undo=False, channel="billing", order__kind="change", order__in_effect=True
    )
    for change in apps.get_model("orders", "Order").objects.filter(pk__in=given_up.values("order")):
        given = {*change.given, "domains", "service_type", *(["biz_end"] if change.biz_end else [])}
        change.given = sorted(given)
        change.save(update_fields=["given"])


def _note_endings(apps, orders) -> None:
    """Trials that ended for another reason than their last day, or that will have when their claim is released."""
    today = timezone.now().astimezone(SHANGHAI).date()
    claims = apps.get_model("orders", "TrialClaim").objects.filter(released_at=None, trial_was="ended")
    in_effect = orders.filter(trial=OuterRef("pk"), kind="change", in_effect=True, change_number__isnull=False)
    last_day = Coalesce(Subquery(in_effect.order_by("-change_number").values("biz_end")[:1]), "biz_end")
    ended = orders.filter(kind="trial", state="ended").annotate(last_day=last_day)
    closed = Q(pk__in=ended.filter(Q(last_day=None) | Q(last_day__gte=today)).values("pk"))
    closed |= Q(pk__in=claims.values("trial"))
    ends = apps.get_model("orders", "TrialEnd").objects
    while rows := list(orders.filter(closed, ends=None).annotate(last=Max("followers__change_number"))[:BATCH]):
        ends.bulk_create(
            ends.model(trial=row, number=(row.last or 0) + 1, kind="ending", at=timezone.now(), by="migration")
            for row in rows
        )


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table, and a run that was stopped goes on where it was
    dependencies = [("django_q", "0018_task_success_index"), ("orders", "0016_shapes")]
    operations = [
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),  # SQLite has made the table of affected orders anew
    ]
