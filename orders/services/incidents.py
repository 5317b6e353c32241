"""Opens and closes incidents: one per cause, with every order that it stopped.

One mail when an incident opens and one when it closes, both through an order that it stopped; never one per failure.
"""

import datetime
from collections.abc import Iterable

from django.db import connection, transaction
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
BREAKER_OPEN = "breaker_open"
COMPENSATED = "compensated"  # by staff; one that a failure caused has that failure's incident
LATE_UNDO = "late_undo"
BILLED_NOT_ACTIVE = "billed_not_active"
PROCESS_DIFFERS = "process_differs"
BUILT_UPON = "change_built_upon"
DIFFERENCE = "difference"
BOOKS_ONLY = frozenset(
    {
        "unknown_record",
        DIFFERENCE,
        "acted_before",
        BILLED_NOT_ACTIVE,
        PROCESS_DIFFERS,
        LATE_UNDO,
        "entered_differs",
        BUILT_UPON,
    }
)  # fmt: skip  only the books or `accept` end these (contract 3.9, 14)
ONE_AT_A_TIME = 0x1D5C  # the number of the advisory lock; any will do


@transaction.atomic
def open_incident(
    order: Order, *, partner: str, step: str, code: str, detail: str, now: datetime.datetime, mail: bool = True
) -> Incident:
    """Notes that the order is stopped by this cause; the first order opens the incident, and one mail tells of it.

    `mail=False` where the caller tells it otherwise (a held order has a mail of its own); then none tells of its end
    either. That no mail gets out is told by none.
    """
    lock_incidents()
    incident, opened = _incident(order, partner, step, code[:32], detail, now)
    _, new = AffectedOrder.objects.get_or_create(
        incident=incident, order=order, closed_at=None, defaults={"since": now, "detail": detail}
    )
    if new:
        add_event(order, "incident", by="system", now=now, partner=partner, step=step, code=code, detail=detail)
    if opened and mail and partner != "mail":
        queue_mail(order, Dispatch.Step.MAIL_INCIDENT, now=now, detail=detail, **about(incident))
    return incident


def lock_incidents() -> None:
    """Whoever opens or closes incidents is alone until the transaction ends: one batch stops orders by several causes,
    and two that meet them the other way round would wait for each other. SQLite's transactions are alone anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])


def about(incident: Incident) -> dict:
    """What names the incident in mails and events."""
    return {"incident": incident.pk, "partner": incident.partner, "step": incident.step, "code": incident.code}


def _incident(
    order: Order, partner: str, step: str, code: str, detail: str, now: datetime.datetime
) -> tuple[Incident, bool]:
    """The incident of this cause, counted up, or a new one. An ignored one stays ignored for the orders that it has."""
    same = Incident.objects.filter(partner=partner, step=step, code=code)
    ignored = same.filter(state=Incident.State.IGNORED, affected__order=order, affected__closed_at=None)
    known = ignored.order_by("-pk").first() or same.filter(state__in=OPEN).first()
    if known is None:
        fields = {"partner": partner, "step": step, "code": code, "detail": detail}
        return Incident.objects.create(**fields, first_at=now, last_at=now), True
    Incident.objects.filter(pk=known.pk).update(last_at=now, detail=detail, count=F("count") + 1)
    return known, False


def close_troubles(
    order: Order, *, now: datetime.datetime, by: str, step: str | None = None, code: str | None = None,
    but: Iterable[str] = (),
) -> None:  # fmt: skip
    """The order goes on: closes what stopped it (all, or of one step or code, or all `but` these codes), and incidents
    that stop nobody now.

    A breaker's incident is not the order's: it is over when the partner answers.
    """
    rows = AffectedOrder.objects.filter(order=order, closed_at=None).exclude(incident__code=BREAKER_OPEN)
    rows = rows.exclude(incident__code__in=list(but)) if but else rows
    if step is not None:
        rows = rows.filter(incident__step=step)
    if code is not None:
        rows = rows.filter(incident__code=code)
    if not rows.exists():
        return
    with transaction.atomic():
        lock_incidents()
        incidents = list(rows.values_list("incident", flat=True))
        AffectedOrder.objects.filter(order=order, closed_at=None, incident__in=incidents).update(closed_at=now)
        still = AffectedOrder.objects.filter(incident__in=incidents, closed_at=None).values("incident")
        end_incidents(Incident.objects.filter(pk__in=incidents, state__in=OPEN).exclude(pk__in=still), now=now)
        add_event(order, "incident_over", by=by, now=now, step=step or "", code=code or "")


def end_incidents(incidents: Iterable[Incident], *, now: datetime.datetime, mail: bool = True) -> None:
    """These are over (the lock is held): their orders are free, and one mail for each tells so if one told of it."""
    for incident in list(incidents):
        incident.affected.filter(closed_at=None).update(closed_at=now)
        Incident.objects.filter(pk=incident.pk).update(state=Incident.State.RESOLVED, last_at=now)
        through = _told_through(incident) if mail else None
        if through:
            orders = incident.affected.values("order").distinct().count()
            queue_mail(through, Dispatch.Step.MAIL_OVER, now=now, orders=orders, **about(incident))


def _told_through(incident: Incident) -> Order | None:
    """The order through which the incident's opening was mailed: the first that it stopped."""
    first = incident.affected.select_related("order").order_by("pk").first()
    told = {"step": Dispatch.Step.MAIL_INCIDENT, "about__incident": incident.pk}
    return first.order if first and first.order.dispatches.filter(**told).exists() else None
