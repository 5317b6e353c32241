"""Opens and closes incidents: one per cause, with every order that it stopped."""

import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.services.events import add_event
from orders.services.mails import queue_mail

PARTNERS = {
    Dispatch.Channel.BILLING: "bigdata",
    Dispatch.Channel.USAGE: "bigdata",
    Dispatch.Channel.BPM: "bpm",
    Dispatch.Channel.MAIL: "mail",
    Dispatch.Channel.FILES: "files",
}
OPEN = [Incident.State.OPEN, Incident.State.ACKNOWLEDGED]


def open_incident(
    order: Order, *, partner: str, step: str, code: str, detail: str, now: datetime.datetime, mail: bool = True
) -> Incident:
    """Notes that the order is stopped by this cause; the first order opens the incident, and one mail tells of it."""
    incident, opened = _incident(partner, step, code[:32], detail, now)
    _, new = AffectedOrder.objects.get_or_create(
        incident=incident, order=order, closed_at=None, defaults={"since": now, "detail": detail}
    )
    if new:
        add_event(order, "incident", by="system", now=now, partner=partner, step=step, code=code, detail=detail)
    if opened and mail and partner != "mail":
        queue_mail(order, "mail_incident", now=now, partner=partner, step=step, code=code, detail=detail)
    return incident


def _incident(partner: str, step: str, code: str, detail: str, now: datetime.datetime) -> tuple[Incident, bool]:
    cause = {"partner": partner, "step": step, "code": code}
    open_ones = Incident.objects.filter(**cause, state__in=OPEN)
    if open_ones.update(last_at=now, detail=detail, count=F("count") + 1):
        return open_ones.get(), False
    try:
        with transaction.atomic():
            return Incident.objects.create(**cause, detail=detail, first_at=now, last_at=now), True
    except IntegrityError:  # somebody opened it in the same moment
        return open_ones.get(), False


def close_troubles(
    order: Order, *, now: datetime.datetime, by: str, step: str | None = None, code: str | None = None
) -> None:
    """The order goes on: closes what stopped it (all, or of one step or code), and incidents that stop nobody now."""
    rows = AffectedOrder.objects.filter(order=order, closed_at=None)
    if step is not None:
        rows = rows.filter(incident__step=step)
    if code is not None:
        rows = rows.filter(incident__code=code)
    incidents = list(rows.values_list("incident", flat=True))
    if not incidents:
        return
    AffectedOrder.objects.filter(order=order, closed_at=None, incident__in=incidents).update(closed_at=now)
    still = AffectedOrder.objects.filter(incident__in=incidents, closed_at=None).values("incident")
    over = Incident.objects.filter(pk__in=incidents, state__in=OPEN).exclude(pk__in=still)
    over.update(state=Incident.State.RESOLVED, last_at=now)
    add_event(order, "incident_over", by=by, now=now, step=step or "", code=code or "")
