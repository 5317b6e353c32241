"""Records that a partner's breaker opens or closes: events, an incident, its mails (contract 3.5)."""

import datetime

from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_codes import BREAKER_OPEN
from orders.incidents.incidents import end_incidents, lock_incidents, open_incident, open_incident_of_none
from orders.models import Dispatch, Incident
from orders.rules.steps import Partner


def partners_down() -> set[str]:
    return set(Incident.objects.unresolved().filter(code=BREAKER_OPEN).values_list("partner", flat=True))


def note_partner_down(partner: str, error: str, *, dispatch_id: int, now: datetime.datetime) -> None:
    """Opens an incident for a partner that does not respond, with one mail about the order that failed.

    `dispatch_id` is negative for a mail. The mail server's incident stops no order and causes no mail.
    """
    add_event(None, "breaker_opened", by="worker", now=now, partner=partner, error=error)
    if partner == Partner.MAIL:
        open_incident_of_none(partner=partner, step="", code=BREAKER_OPEN, detail=error, now=now)
        return
    order = Dispatch.objects.select_related("order").get(pk=dispatch_id).order
    open_incident(order, partner=partner, step="", code=BREAKER_OPEN, detail=error, now=now)


def note_partner_up(partner: str, *, now: datetime.datetime) -> None:
    """Ends the incident of a partner that responds again, with one mail. Runs in the caller's transaction."""
    add_event(None, "breaker_closed", by="worker", now=now, partner=partner)
    lock_incidents([(partner, BREAKER_OPEN)])
    down = Incident.objects.unresolved().filter(partner=partner, step="", code=BREAKER_OPEN)
    end_incidents(down, now=now)
