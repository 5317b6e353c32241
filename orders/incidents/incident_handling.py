"""Actions of staff on an incident: ignore, resolve, add a note. Each action writes an event. The owners of incidents
are in ownership.py."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from orders.db.expressions import IsInTrail
from orders.history.actors import COMMAND, STAFF, account_id_of, limits_of
from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_codes import BOOKS_ONLY, PARTNERS_OWN
from orders.incidents.incidents import end_incidents, lock_incidents, reference_of, shared_by
from orders.incidents.stopped_orders import still_stopped
from orders.mails.mentions import Mentions, tell_mentioned
from orders.models import AffectedOrder, Dispatch, Incident, IncidentNote, OrderEvent
from orders.models.querysets import UNRESOLVED
from orders.outbox.enqueue import wake
from orders.rules.steps import Partner
from orders.texts.errors import NotAllowedError, check_reason
from orders.texts.incident_texts import title_of

NOT_OVER = [*UNRESOLVED, Incident.State.IGNORED]
ORDERS_AT_ONCE = 500
TOLD_BY = {"emergency_act": "act_in_emergency", "emergency_login": "emergency_login"}
"""Codes of incidents about actions without a second person, and the events that record the actor."""


@transaction.atomic
def ignore_incident(*, incident_id: int, reason: str, by: str, now: datetime.datetime) -> Incident:
    """Marks an incident as ignored. Its end is not mailed.

    The incident stays ignored for its orders, however often these orders fail with the same cause. Stopped orders do
    not change. Another order with this cause opens a new incident. Raises NotAllowedError if there is no reason, the
    incident has ended, only `accept` or a comparison may end it, or it is about the actor's own emergency action.
    """
    check_reason(reason, "ignoring an incident")
    incident = lock_incident(incident_id, UNRESOLVED, "ignored", by_hand=True, by=by)
    incident.state = Incident.State.IGNORED
    return _save(incident, "incident_ignored", by=by, now=now, note=reason)


@transaction.atomic
def resolve_incident(*, incident_id: int, reason: str, by: str, now: datetime.datetime) -> Incident:
    """Ends an incident for its orders that have proceeded.

    If no order is still stopped, the incident ends and its end is mailed. Otherwise the incident stays open for the
    stopped orders and nobody is mailed. Orders do not change: a failed step must be resent. Mails that were given up
    are closed too. Raises NotAllowedError if there is no reason, the incident has ended, only `accept` or a comparison
    may end it, all its orders are still stopped, or it is about the actor's own emergency action.
    """
    check_reason(reason, "resolving an incident")
    incident = lock_incident(incident_id, NOT_OVER, "resolved", by_hand=True, by=by)
    standing = still_stopped(incident)
    if number := standing.count():
        left = close_but(incident, standing, now=now)
        if not left:
            raise NotAllowedError("incident_stands", incident=incident_id, number=number)
        return _save(incident, "incident_resolved_partly", by=by, now=now, note=reason, left=left, standing=number)
    mail = incident.state != Incident.State.IGNORED
    _save(incident, "incident_resolved", by=by, now=now, note=reason)
    if is_of_mails(incident):  # the mails do not change; the reason is stored
        incident.affected.unresolved().update(closed_at=now, accepted_by=by[:160], reason=reason)
    end_incidents([incident], now=now, mail=mail)
    wake()
    incident.refresh_from_db()
    return incident


def is_of_mails(incident: Incident) -> bool:
    """Returns True if the incident is about mails that were given up. Returns False for a mail server that is down or
    paused."""
    return incident.partner == Partner.MAIL and incident.code not in PARTNERS_OWN


@dataclass(frozen=True)
class Parts:
    """Ids of the incident's rows that a partial end changes.

    `gone`: rows of orders that have proceeded. `named`: rows of trials that stay listed, since another order on their
    records is still stopped. `number`: the number of orders in `gone`, not counting trials that were only listed.
    """

    gone: list[int]
    named: list[int]
    number: int


def parts_but(incident: Incident, standing: QuerySet[AffectedOrder]) -> Parts:
    """Returns the unresolved rows of the incident, without the rows in `standing`, which the incident still stops."""
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
    """Closes the incident for all orders that are not in `standing`, and returns the number of these orders. The caller
    must hold the lock."""
    parts = parts_but(incident, standing)
    for ids, change in ((parts.named, {"beside": True}), (parts.gone, {"closed_at": now})):
        for start in range(0, len(ids), ORDERS_AT_ONCE):  # databases limit the length of an IN list
            AffectedOrder.objects.filter(pk__in=ids[start : start + ORDERS_AT_ONCE]).update(**change)
    return parts.number


@transaction.atomic
def note_incident(*, incident_id: int, by: str, now: datetime.datetime, note: str) -> Mentions:
    """Adds a note to the incident, in any state, and notifies the accounts mentioned with `@`.

    Raises NotAllowedError (unknown incident, blank note).
    """
    if not note.strip():
        raise NotAllowedError("incident_no_note")
    incident = lock_incident(incident_id, Incident.State.values, "noted")
    kept = keep_note(incident, note, by=by, now=now)
    event = add_event(None, "incident_noted", by=by, now=now, note=kept, **reference_of(incident))
    path = reverse("admin:orders_incident_change", args=[incident.pk])
    named = {"title": str(title_of(incident.code, incident.words)), "about": f"#{incident.pk} {incident.code}"}
    return tell_mentioned(" ".join(note.split()), incident, event, **named, path=path, by=by, now=now)


def why_not_end(incident: Incident, states: Collection[str], act: str) -> NotAllowedError | None:
    """Returns the error if staff can't end the incident by this action, whatever the state of its orders. Otherwise
    returns None."""
    about_it = {"incident": incident.pk, "act": act, "state": incident.state, "code": incident.code}
    if incident.state not in states:
        return NotAllowedError("incident_state", **about_it)
    if incident.code in BOOKS_ONLY:
        return NotAllowedError("incident_by_the_books", **about_it)
    return NotAllowedError("incident_outcome_unknown", **about_it) if _has_unknown_outcome(incident) else None


def why_not_theirs(incident: Incident, by: str) -> NotAllowedError | None:
    """Returns the error if the incident is about the actor's own emergency action, or None if the actor may change the
    incident.

    Compares account names, including names that commands got by `--by`.
    """
    names = [f"{kind}:{by.partition(':')[2]}" for kind in (STAFF, COMMAND)]
    kind, since = TOLD_BY.get(incident.code), incident.first_at
    told = OrderEvent.objects.filter(IsInTrail("actor"), actor__in=names, kind=kind, at__gte=since)
    if kind is None or not told.exists():
        return None
    return NotAllowedError("incident_own_emergency", incident=incident.pk)


def lock_incident(
    incident_id: int, states: Collection[str], act: str, *, by_hand: bool = False, by: str = ""
) -> Incident:
    """Returns the locked incident. Raises NotAllowedError if its state does not allow the action.

    `by_hand`: the action ends the incident, which some codes do not allow. `by`: the actor, who may not change an
    incident about their own emergency action.
    """
    lock_incidents(Incident.objects.filter(pk=incident_id).values_list("partner", "code"))
    incident = Incident.objects.select_for_update(no_key=True).filter(pk=incident_id).first()
    if incident is None:
        raise NotAllowedError("incident_unknown", incident=incident_id)
    if by_hand and (why := why_not_end(incident, states, act)):
        raise why
    if incident.state not in states:
        raise NotAllowedError("incident_state", incident=incident_id, act=act, state=incident.state, code=incident.code)
    if why := why_not_theirs(incident, by):
        raise why
    return incident


def _has_unknown_outcome(incident: Incident) -> bool:
    """Returns True if a step of the incident's orders has an unknown outcome. Then only a comparison or `accept` ends
    the incident."""
    steps = Dispatch.objects.current().filter(order__in=incident.affected.unresolved().values("order"))
    failed = steps.filter(
        step__in=shared_by(incident.step, incident.code), channel=Dispatch.Channel.BILLING, state=Dispatch.State.FAILED
    )
    return failed.filter(repeat=False, may_have_acted=True).exists()


def _save(incident: Incident, kind: str, *, by: str, now: datetime.datetime, note: str, **more) -> Incident:
    """Saves the state, adds the note and writes an event."""
    note = keep_note(incident, note, by=by, now=now)
    incident.save(update_fields=["state"])
    add_event(None, kind, by=by, now=now, note=note, **reference_of(incident), **more)
    return incident


def keep_note(incident: Incident, note: str, *, by: str, now: datetime.datetime) -> str:
    """Adds a note unless it is blank, and returns its text. Line breaks become spaces."""
    note = " ".join(note.split())
    if note:
        IncidentNote.objects.create(
            incident=incident, at=now, by=by[:160], account_id=account_id_of(by), text=note, scope=limits_of(by, now)
        )
    return note
