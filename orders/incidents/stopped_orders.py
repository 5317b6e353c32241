"""Selects the orders that an incident still stops, and counts the present states of all orders of the incident."""

from collections import Counter

from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.incidents.incident_codes import PARTNERS_OWN
from orders.incidents.order_warnings import STEPS_WITHOUT_STATE, still_matters
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.dispatch import OPEN_STATES
from orders.models.querysets import STOPPED_BY
from orders.rules.steps import Partner, channels_of

GOING_ON = frozenset(
    {
        Order.State.IN_PROGRESS,
        Order.State.TRIALING,
        Order.State.CONVERTED,
        Order.State.APPLIED,
        Order.State.AWAITING_APPROVAL,
        Order.State.SCHEDULED,
        Order.State.ACTIVE,
    }
)
"""States in which an order is neither stopped nor undone."""
STOPPED = [Order.State.FAILED, Order.State.COMPENSATING]
APPROVAL = "approval"  # the `step` of incidents about BPM's decisions, which stop no order


def still_stopped(incident: Incident) -> QuerySet[AffectedOrder]:
    """Returns the rows of orders that the incident still stops. Such an order has failed or is held for the incident,
    or the incident's step has failed or is not done yet.

    The result is empty for mails, trial traffic and decisions, since no order waits for these. For a partner that is
    down or paused, an order is stopped as long as it has a step to be sent to that partner.
    """
    rows = incident.affected.unresolved().filter(beside=False)
    if incident.partner == Partner.MAIL or incident.step in {*STEPS_WITHOUT_STATE, APPROVAL}:
        return rows.none()
    steps = Dispatch.objects.current().filter(order=OuterRef("order"))
    if incident.code in PARTNERS_OWN:
        return rows.filter(Exists(steps.open().filter(channel__in=channels_of(incident.partner))))
    own = steps.filter(step=OuterRef("stopped_by"), state__in=[Dispatch.State.FAILED, *OPEN_STATES])
    begun = still_matters(own)
    because = Order.Held.FILES if incident.partner == Partner.FILES else incident.code
    held = Q(order__state=Order.State.HELD, order__held_because=because)
    return rows.alias(stopped_by=STOPPED_BY).filter(Exists(begun) | held | Q(order__state__in=STOPPED))


def what_became(incident: int | None, letters: str | None) -> tuple[Counter[str], bool]:
    """Counts the orders of this attribution by state. The second value is True if a person ended the incident for one
    of these orders. If `letters` is None, counts orders without an attribution.

    Counts the orders that the incident lists or listed.
    """
    named = AffectedOrder.objects.filter(incident=incident, order__attribution=letters)
    states = Order.objects.filter(pk__in=named.values("order")).values_list("state", flat=True)
    return Counter(states), named.exclude(accepted_by="").exists()
