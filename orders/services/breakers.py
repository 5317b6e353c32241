"""What the desk notes when a partner's breaker opens or closes: an event, an incident, a mail (contract 3.5)."""

import datetime

from orders.models import Dispatch, Incident
from orders.services.events import add_event
from orders.services.incidents import OPEN
from orders.services.mails import queue_mail

CODE = "breaker_open"


def note_partner_down(partner: str, error: str, *, dispatch_id: int, now: datetime.datetime) -> None:
    """The partner does not answer: one incident for it, one mail, through the order that showed it."""
    add_event(None, "breaker_opened", by="worker", now=now, partner=partner, error=error)
    Incident.objects.get_or_create(
        partner=partner, step="", code=CODE, state=Incident.State.OPEN,
        defaults={"detail": error, "first_at": now, "last_at": now},
    )  # fmt: skip
    order = Dispatch.objects.select_related("order").get(pk=dispatch_id).order
    queue_mail(order, Dispatch.Step.MAIL_INCIDENT, now=now, partner=partner, code=CODE, detail=error)


def note_partner_up(partner: str, *, now: datetime.datetime) -> None:
    """The partner answers again."""
    add_event(None, "breaker_closed", by="worker", now=now, partner=partner)
    open_ones = Incident.objects.filter(partner=partner, step="", code=CODE, state__in=OPEN)
    open_ones.update(state=Incident.State.RESOLVED, last_at=now)
