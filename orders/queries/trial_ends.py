"""When running trials end: on their last change's last day, or on their own."""

import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orders.models import Order, TrialClaim

CHANGES = Order.objects.filter(kind=Order.Kind.CHANGE, change_number__isnull=False)
IN_EFFECT = CHANGES.filter(in_effect=True)
"""Changes that say what their trial is like; the one with the highest number counts."""


def trials_ending(**days: datetime.date) -> list[QuerySet[Order]]:
    """Running trials that nobody activates, by lookups of their last day (`gte=monday, lte=sunday`).

    They come in two ways, each with an index: by the trial's own day, and by the day of a change. The same trial may
    come in both.
    """
    latest = IN_EFFECT.filter(trial=OuterRef("pk")).order_by("-change_number").values("biz_end")[:1]
    claims = TrialClaim.objects.filter(trial=OuterRef("pk"), released_at=None)
    running = Order.objects.filter(~Exists(claims), kind=Order.Kind.TRIAL, state=Order.State.TRIALING)
    ending = running.annotate(last_day=Coalesce(Subquery(latest), "biz_end")).filter(_within("last_day", days))
    own = _within("biz_end", days)
    return [ending.filter(own), ending.filter(pk__in=IN_EFFECT.filter(own).values("trial"))]


def is_ending(**days: datetime.date) -> Q:
    """The condition of `trials_ending`."""
    own, changed = (rows.order_by().values("pk") for rows in trials_ending(**days))
    return Q(pk__in=own.union(changed))


def _within(field: str, days: dict[str, datetime.date]) -> Q:
    return Q(**{f"{field}__{lookup}": day for lookup, day in days.items()})
