"""Opens and closes incidents: one per cause, with every order that it stopped.

For each attribution one mail goes out when the incident stops its first order, and one when the incident is over. Both
go through a stopped order. There is never a mail per failure.
"""

import datetime
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from orders.error_messages import say_in_english, say_why_in_english
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.refusal_causes import MAX_GROUPS, OTHERS, SPEAKS, words_of
from orders.services.order_state import add_event
from orders.services.outbox.enqueue import queue_mail

BREAKER_OPEN = "breaker_open"
PARTNER_PAUSED = "partner_paused"
PARTNERS_OWN = frozenset({BREAKER_OPEN, PARTNER_PAUSED})
"""Incidents about a partner. No order counts as stuck because of them, and they do not end when an order goes on."""
COMPENSATED = "compensated"  # by staff; if a failure compensated the order, it has that failure's incident
SAID_BY_STAFF = frozenset({PARTNER_PAUSED, COMPENSATED})
"""Incidents whose detail is a reason that staff gave, which only staff read."""
LATE_UNDO = "late_undo"
BILLED_NOT_ACTIVE = "billed_not_active"
PROCESS_DIFFERS = "process_differs"
BUILT_UPON = "change_built_upon"
ENTERED_DIFFERS = "entered_differs"
DIFFERENCE = "difference"
BOOKS_ONLY = frozenset(
    {
        "unknown_record",
        DIFFERENCE,
        "acted_before",
        BILLED_NOT_ACTIVE,
        PROCESS_DIFFERS,
        LATE_UNDO,
        ENTERED_DIFFERS,
        BUILT_UPON,
    }
)  # fmt: skip  only the books or `accept` end these (contract 3.9, 14)
LOCKS = 0x1D5C  # the first half of the advisory locks' numbers; any will do
LONGEST_WAIT = "5s"
"""How long to wait for an incident's lock, and for any later lock of the transaction."""
ORDER = "order"
DESK = "desk"
"""The partner of incidents that stop no order: something of the desk itself needs a person."""
BATCH = 500


@transaction.atomic
def open_incident(
    order: Order,
    *,
    partner: str,
    step: str,
    code: str,
    now: datetime.datetime,
    detail: str | None = None,
    mail: bool = True,
    params: dict | None = None,
    beside: Order | None = None,
) -> Incident:
    """Notes that this cause stops the order. Each attribution gets one mail about it, with its first order.

    `beside`: the trial on whose records the order is stopped; the incident names it too (contract 3.9, 14).

    `detail` is for the log. `params` hold the same as a code, if pages have words for it (`error_messages.py`). Without
    a detail, it is those words. With `mail=False` no mail is sent, not even about the end, until the cause is noted
    again with mail. Held orders use it, since they have a mail of their own, and comparisons that somebody looks at.
    Failed mails cause no mail. Raises OperationalError if the lock is not free within LONGEST_WAIT.
    """
    code = code[:32]
    lock_incidents([(partner, code)])
    detail = say_why_in_english(params) if detail is None else detail
    said: dict = {"detail": detail, "detail_params": params or {}}
    incident = _incident(order, partner, step, code, said, now)
    if beside is not None and beside.pk != order.pk:
        AffectedOrder.objects.get_or_create(
            incident=incident, order=beside, closed_at=None, defaults={"since": now, "beside": True, **said}
        )
    row, new = AffectedOrder.objects.get_or_create(
        incident=incident, order=order, closed_at=None, defaults={"since": now, "quiet": not mail, **said}
    )
    loud = mail and row.quiet
    if row.beside or loud or (row.detail, row.detail_params) != (detail, said["detail_params"]):
        AffectedOrder.objects.filter(pk=row.pk).update(beside=False, quiet=row.quiet and not mail, **said)
    kept = {"params": params} if params else {}
    if new:
        add_event(order, "incident", by="system", now=now, partner=partner, step=step, code=code, detail=detail, **kept)
        _leave_others(order, incident, now)
    elif not loud:
        return incident
    if mail and partner != "mail" and _first_of_its_attribution(row):
        queue_mail(
            order,
            Dispatch.Step.MAIL_INCIDENT,
            now=now,
            detail=detail,
            words=incident.words,
            **kept,
            **reference_of(incident),
        )
    return incident


@transaction.atomic
def open_desk_incident(code: str, *, params: dict, now: datetime.datetime) -> None:
    """Notes that something of the desk itself needs a person. `params` fill the code's sentence."""
    lock_incidents([(DESK, code)])
    same = Incident.objects.filter(partner=DESK, step="", code=code).unresolved()
    said: dict = {"detail": say_in_english(code, params), "detail_params": {"code": code, **params}, "last_at": now}
    if not same.update(**said):
        Incident.objects.create(partner=DESK, code=code, first_at=now, **said)


def close_desk_incident(code: str, *, now: datetime.datetime) -> None:
    """Ends the incident about the desk itself, if there is one."""
    open_ones = Incident.objects.filter(partner=DESK, step="", code=code).unresolved()
    if open_ones.exists():
        with transaction.atomic():
            lock_incidents([(DESK, code)])
            end_incidents(open_ones, now=now, mail=False)


def keep_desk_incident(code: str, params: dict | None, *, now: datetime.datetime) -> None:
    """Opens the incident, or brings it up to date, while there are `params`. Ends it otherwise."""
    if params:
        open_desk_incident(code, params=params, now=now)
    else:
        close_desk_incident(code, now=now)


def lock_incidents(causes: Iterable[tuple[str, str]]) -> None:
    """Locks the incidents of these causes (partner, code) until the transaction ends, to open or close them.

    All incidents of a partner share one lock. A batch of answers stops orders by several causes, and two batches that
    met them in different sequence would wait for each other. Our own incidents have one lock for each code, since an
    arriving order needs only that of its hold. Several locks are always taken in the same sequence, partners first.
    SQLite has only one writer at a time anyway.
    """
    if connection.vendor != "postgresql":
        return
    lanes = sorted(
        {(partner == ORDER, f"{partner} {code}" if partner == ORDER else partner) for partner, code in causes}
    )
    if not lanes:
        return
    locks = ", ".join(["pg_advisory_xact_lock(%s, %s)"] * len(lanes))
    numbers = [number for _own, lane in lanes for number in (LOCKS, zlib.crc32(lane.encode()) - 2**31)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('lock_timeout', %s, true), {locks}", [LONGEST_WAIT, *numbers])


def reference_of(incident: Incident) -> dict:
    return {"incident": incident.pk, "partner": incident.partner, "step": incident.step, "code": incident.code}


def _incident(order: Order, partner: str, step: str, code: str, said: dict, now: datetime.datetime) -> Incident:
    """The incident of this cause, counted up, or a new one. An ignored one stays ignored for its orders."""
    same = Incident.objects.filter(partner=partner, step=step, code=code)
    words = words_of(code, said["detail_params"], order.number)
    ignored = same.filter(state=Incident.State.IGNORED, affected__order=order, affected__closed_at=None)
    known = ignored.order_by("-pk").first()
    known = known or same.unresolved().filter(words=words).first()
    if known is None and words and same.unresolved().exclude(words=OTHERS).count() >= MAX_GROUPS:
        words = OTHERS
        known = same.unresolved().filter(words=words).first()
    if known is None:
        fields = {"partner": partner, "step": step, "code": code, "words": words, **said}
        return Incident.objects.create(**fields, first_at=now, last_at=now)
    Incident.objects.filter(pk=known.pk).update(last_at=now, **said, count=F("count") + 1)
    return known


def move_trouble(order: Order, *, partner: str, step: str, code: str, now: datetime.datetime) -> None:
    """Takes an order's open trouble of a step to the incident of another code: the same failure goes on."""
    lock_incidents([(partner, code)])
    rows = AffectedOrder.objects.unresolved().filter(order=order, incident__partner=partner, incident__step=step)
    row = rows.select_related("incident").first()
    if row is None or row.incident.code == code:
        return
    there = Incident.objects.unresolved().filter(partner=partner, step=step, code=code, words="").first()
    if there is None and not row.incident.affected.unresolved().exclude(pk=row.pk).exists():
        Incident.objects.filter(pk=row.incident_id).update(code=code)
        return
    said: dict = {"detail": row.detail, "detail_params": row.detail_params}
    there = there or Incident.objects.create(
        partner=partner, step=step, code=code, first_at=row.since, last_at=now, count=0, **said
    )
    AffectedOrder.objects.create(incident=there, order=order, since=row.since, quiet=row.quiet, **said)
    AffectedOrder.objects.filter(pk=row.pk).update(closed_at=now)
    end_incidents(stopping_nobody([row.incident_id]), now=now, mail=False)


def _leave_others(order: Order, incident: Incident, now: datetime.datetime) -> None:
    """Takes the order out of similar incidents, since the partner now gives another reason for the same refusal."""
    if not incident.code.startswith(SPEAKS):
        return
    same = Incident.objects.filter(partner=incident.partner, step=incident.step, code=incident.code)
    left = AffectedOrder.objects.unresolved().filter(order=order, incident__in=same).exclude(incident=incident)
    if incidents := list(left.values_list("incident", flat=True)):
        close_parts(order, incidents, now=now)
        end_incidents(stopping_nobody(incidents), now=now, mail=False)


def _first_of_its_attribution(row: AffectedOrder) -> bool:
    same = AffectedOrder.objects.filter(incident=row.incident, order__attribution=row.order.attribution_id)
    same = same.filter(beside=False, quiet=False)  # no mail went out through these
    return not same.exclude(pk=row.pk).exists()


def end_built_upon(order: Order, *, now: datetime.datetime, **accepted: str) -> None:
    """Ends the incident of what was built upon, for all orders of a trial. `accepted`: by whom and why."""
    family = Q(order__trial=order.trial_id) | Q(order=order.trial_id)
    rows = AffectedOrder.objects.unresolved().filter(family, incident__code=BUILT_UPON)
    if order.trial_id and rows.exists():
        lock_incidents([(ORDER, BUILT_UPON)])
        incidents = list(rows.values_list("incident", flat=True))
        rows.update(closed_at=now, **accepted)
        end_incidents(stopping_nobody(incidents), now=now)


def stopping_nobody(incidents: Iterable[int]) -> QuerySet[Incident]:
    still = AffectedOrder.objects.unresolved().filter(incident__in=incidents).values("incident")
    return Incident.objects.unresolved().filter(pk__in=incidents).exclude(pk__in=still)


def close_troubles(
    order: Order,
    *,
    now: datetime.datetime,
    by: str,
    step: str | None = None,
    code: str | None = None,
    but: Iterable[str] = (),
) -> None:
    """Closes the troubles of an order that goes on, and the incidents that then stop nobody.

    All troubles are closed, or only those of one step or code, or all `but` these codes. An incident about a partner
    does not belong to the order. It is over when the partner answers, or is resumed.
    """
    rows = AffectedOrder.objects.unresolved().filter(order=order).exclude(incident__code__in=PARTNERS_OWN)
    rows = rows.exclude(incident__code__in=list(but)) if but else rows
    if step is not None:
        rows = rows.filter(incident__step=step)
    if code is not None:
        rows = rows.filter(incident__code=code)
    causes = set(rows.values_list("incident__partner", "incident__code"))
    if not causes:
        return
    with transaction.atomic():
        lock_incidents(causes)
        incidents = list(rows.values_list("incident", flat=True))
        close_parts(order, incidents, now=now)
        end_incidents(stopping_nobody(incidents), now=now)
        add_event(order, "incident_over", by=by, now=now, step=step or "", code=code or "")


def close_parts(order: Order, incidents: Iterable[int], *, now: datetime.datetime, **accepted: str) -> None:
    """Closes an order's part of these incidents; a trial stays named beside others. `accepted`: by whom, and why."""
    trial = order.trial_id or order.pk
    rows = AffectedOrder.objects.unresolved().filter(incident__in=list(incidents))
    rows.filter(order=order).exclude(order=trial).update(closed_at=now)
    still = rows.filter(incident=OuterRef("incident"), order__trial=trial)
    own = Q() if order.pk == trial else Q(beside=True)
    named = rows.filter(own, order=trial)
    named.filter(~Exists(still)).update(closed_at=now, **accepted)
    if order.pk == trial:
        named.update(beside=True)


def end_incidents(incidents: Iterable[Incident], *, now: datetime.datetime, mail: bool = True) -> None:
    """Ends these incidents, with the lock held. Each attribution that was mailed about one is mailed about its end."""
    for incident in list(incidents):
        incident.affected.unresolved().update(closed_at=now)
        Incident.objects.filter(pk=incident.pk).update(state=Incident.State.RESOLVED, last_at=now)
        for order, number in _mailed_through(incident) if mail else ():
            queue_mail(
                order, Dispatch.Step.MAIL_OVER, now=now, orders=number, words=incident.words, **reference_of(incident)
            )


@dataclass(frozen=True)
class Parts:
    """Ids of an incident's unresolved rows: of what has gone on, and of trials that stay named beside an order that
    stands. `number`: of how many orders that have gone on, not counting trials that were only named."""

    gone: list[int]
    named: list[int]
    number: int


def parts_but(incident: Incident, standing: QuerySet[AffectedOrder]) -> Parts:
    """What an incident stops besides the orders that still stand."""
    kept = dict(standing.values_list("pk", "order__trial"))
    trials, named, gone, number = {*kept.values()}, [], [], 0
    for pk, order, beside in incident.affected.unresolved().values_list("pk", "order", "beside"):
        if pk in kept:
            continue
        if order in trials:
            named.append(pk)
        else:
            gone.append(pk)
            number += not beside
    return Parts(gone, named, number)


def close_but(incident: Incident, standing: QuerySet[AffectedOrder], *, now: datetime.datetime) -> int:
    """Closes the parts of an incident but these, with the lock held, and returns how many orders it leaves."""
    parts = parts_but(incident, standing)
    for ids, change in ((parts.named, {"beside": True}), (parts.gone, {"closed_at": now})):
        for start in range(0, len(ids), BATCH):  # databases bound the length of a list
            AffectedOrder.objects.filter(pk__in=ids[start : start + BATCH]).update(**change)
    return parts.number


def _mailed_through(incident: Incident) -> list[tuple[Order, int]]:
    """The orders through which the incident was mailed, one of each attribution, with its number of affected orders."""
    rows = Dispatch.objects.filter(step=Dispatch.Step.MAIL_INCIDENT, about__incident=incident.pk)
    rows = rows.filter(order__in=incident.affected.values("order")).select_related("order")
    through = {row.order.attribution_id: row.order for row in rows.order_by("-pk").defer("payload", "order__content")}
    if not through:
        return []
    affected = incident.affected.order_by().values_list("order__attribution")
    numbers = dict(affected.annotate(number=Count("order", distinct=True)))
    return [(order, numbers[letters]) for letters, order in reversed(through.items())]
