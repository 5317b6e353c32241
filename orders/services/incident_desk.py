"""What staff do about an incident: take it up, ignore it, resolve it, write a note. Each action leaves an event."""

import datetime
from collections.abc import Collection

from django.db import transaction

from orders.errors import NotAllowedError
from orders.models import Dispatch, Incident, IncidentNote
from orders.models.querysets import UNRESOLVED
from orders.people import account_id_of, account_of
from orders.services.incidents import BOOKS_ONLY, end_incidents, lock_incidents, reference_of
from orders.services.order_state import add_event
from orders.services.outbox.enqueue import wake

State = Incident.State
NOT_OVER = [*UNRESOLVED, State.IGNORED]


@transaction.atomic
def acknowledge_incident(
    *, incident_id: int, by: str, now: datetime.datetime, note: str = "", owner_id: int | None = None
) -> Incident:
    """Marks an incident as taken up, by the user `owner_id` if given. It still ends by itself.

    Raises NotAllowedError (it is over, ignored or unknown).
    """
    incident = _locked(incident_id, UNRESOLVED, "acknowledged")
    incident.state = State.ACKNOWLEDGED
    incident.owner_id = owner_id or incident.owner_id
    return _save(incident, "incident_acknowledged", by=by, now=now, note=note)


@transaction.atomic
def ignore_incident(*, incident_id: int, by: str, now: datetime.datetime, note: str = "") -> Incident:
    """Marks an incident as one that nobody needs to look at. No mail reports its end.

    It stays ignored for its orders, however often they fail in this way. Another order with this cause opens a new
    incident. Raises NotAllowedError.
    """
    incident = _locked(incident_id, UNRESOLVED, "ignored", by_hand=True)
    incident.state = State.IGNORED
    return _save(incident, "incident_ignored", by=by, now=now, note=note)


@transaction.atomic
def resolve_incident(*, incident_id: int, by: str, now: datetime.datetime, note: str = "") -> Incident:
    """Ends an incident for all its orders, for staff. Its end is mailed as usual.

    The orders' steps do not change: a failed step must be resent. Raises NotAllowedError.
    """
    incident = _locked(incident_id, NOT_OVER, "resolved", by_hand=True)
    mail = incident.state != State.IGNORED
    _save(incident, "incident_resolved", by=by, now=now, note=note)
    end_incidents([incident], now=now, mail=mail)
    wake()
    incident.refresh_from_db()
    return incident


@transaction.atomic
def note_incident(*, incident_id: int, by: str, now: datetime.datetime, note: str) -> Incident:
    """Adds a note to the incident, in any state. Raises NotAllowedError (unknown incident, blank note)."""
    if not note.strip():
        raise NotAllowedError("incident_no_note")
    incident = _locked(incident_id, State.values, "noted")
    return _save(incident, "incident_noted", by=by, now=now, note=note)


@transaction.atomic
def hand_over_incident(*, incident_id: int, owner_id: int | None, by: str, now: datetime.datetime) -> Incident:
    """Gives the incident to another user, or with None to nobody. Raises NotAllowedError."""
    incident = _locked(incident_id, NOT_OVER, "handed over")
    incident.owner_id = owner_id
    return _save(incident, "incident_handed_over", by=by, now=now, note="", owner=owner_id)


def _locked(incident_id: int, states: Collection[str], act: str, *, by_hand: bool = False) -> Incident:
    """The incident, locked, if the action is allowed. `by_hand`: the action ends it, which some codes do not allow."""
    lock_incidents(Incident.objects.filter(pk=incident_id).values_list("partner", "code"))
    incident = Incident.objects.select_for_update(no_key=True).filter(pk=incident_id).first()
    if incident is None:
        raise NotAllowedError("incident_unknown", incident=incident_id)
    about_it = {"incident": incident_id, "act": act, "state": incident.state, "code": incident.code}
    if incident.state not in states:
        raise NotAllowedError("incident_state", **about_it)
    if by_hand and incident.code in BOOKS_ONLY:
        raise NotAllowedError("incident_by_the_books", **about_it)
    if by_hand and _has_unknown_outcome(incident):
        raise NotAllowedError("incident_outcome_unknown", **about_it)
    return incident


def _has_unknown_outcome(incident: Incident) -> bool:
    """Whether nobody knows what a step of its orders did. Then only the books or `accept` end the incident."""
    steps = Dispatch.objects.current().filter(
        order__in=incident.affected.unresolved().values("order"),
        step=incident.step,
        repeat=False,
        channel=Dispatch.Channel.BILLING,
        state=Dispatch.State.FAILED,
        may_have_acted=True,
    )
    return steps.exists()


def _save(incident: Incident, kind: str, *, by: str, now: datetime.datetime, note: str, **more) -> Incident:
    """Saves state and owner, adds the note, and writes an event. Line breaks in a note become blanks."""
    note = " ".join(note.split())
    if note:
        IncidentNote.objects.create(
            incident=incident, at=now, by=by[:160], account_id=account_id_of(by), text=note, scope=_limits_of(by, now)
        )
    incident.save(update_fields=["state", "owner"])
    add_event(None, kind, by=by, now=now, note=note, **reference_of(incident), **more)
    return incident


def _limits_of(by: str, now: datetime.datetime) -> list[str] | None:
    """The letters of the attributions that the author is limited to; None if to none, and for anybody but staff."""
    account = account_of(by, account_id_of(by), now)
    if account is None or not account.limited:
        return None
    return sorted(account.attributions.values_list("letters", flat=True))
