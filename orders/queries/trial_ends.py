"""When running trials end: on the last day of their shape."""

import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.models import Order, TrialClaim


def running_trials() -> QuerySet[Order]:
    return Order.objects.filter(kind=Order.Kind.TRIAL, state=Order.State.TRIALING)


def trials_ending(**days: datetime.date) -> QuerySet[Order]:
    """Running trials that nobody activates, by lookups of their last day (`gte=monday, lte=sunday`)."""
    claims = TrialClaim.objects.filter(trial=OuterRef("pk"), released_at=None)
    running = running_trials().filter(~Exists(claims))
    return running.filter(**{f"shape__ends_on__{lookup}": day for lookup, day in days.items()})


def is_ending(**days: datetime.date) -> Q:
    return Q(pk__in=trials_ending(**days).order_by().values("pk"))
