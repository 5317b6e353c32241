"""Incidents that sleep until a time. Until that time they cause no mails, and lists show them after the other
incidents.

Sleeping incidents still count (contract 3.9, 14) in `stuck`, `status` and the dashboard, and their orders are not fine.
Further orders with the same cause join the incident without a mail. A refusal with another text opens another incident,
which is awake. The end of an incident is mailed to the recipients of the mail about the beginning.
"""

import datetime

from django.db import transaction

from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_handling import keep_note, lock_incident
from orders.incidents.incidents import reference_of
from orders.models import Incident
from orders.models.querysets import UNRESOLVED
from orders.rules.local_time import SHANGHAI
from orders.texts.errors import NotAllowedError, check_reason

LONGEST = datetime.timedelta(days=90)
BY_ITSELF = "system"


@transaction.atomic
def put_to_sleep(
    *, incident_id: int, until: datetime.datetime, reason: str, by: str, now: datetime.datetime
) -> Incident:
    """Lets an incident sleep until `until`, or changes that time. At that time the incident wakes by itself.

    Raises NotAllowedError (no reason, `until` has passed or is too late, the incident has ended or is ignored, the
    incident is about an emergency action of the actor).
    """
    check_reason(reason, "letting an incident sleep")
    if until <= now:
        raise NotAllowedError("pause_over")
    if until > now + LONGEST:
        raise NotAllowedError("sleep_too_long", days=LONGEST.days)
    incident = lock_incident(incident_id, UNRESOLVED, "put to sleep", by=by)
    incident.asleep_until = until
    note = keep_note(incident, reason, by=by, now=now)
    incident.save(update_fields=["asleep_until"])
    words = f"{until.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    add_event(None, "incident_asleep", by=by, now=now, note=note, until=words, **reference_of(incident))
    return incident


@transaction.atomic
def wake_incident(*, incident_id: int, by: str, now: datetime.datetime) -> Incident:
    """Wakes an incident early. Raises NotAllowedError (the incident does not sleep, or it has ended)."""
    incident = lock_incident(incident_id, UNRESOLVED, "woken")
    if not incident.is_asleep(now):
        raise NotAllowedError("incident_awake")
    return _wake(incident, by=by, now=now)


def wake_slept(*, now: datetime.datetime) -> list[int]:
    """Records that incidents have woken, after their sleep has ended. These incidents count as awake from the end of
    their sleep."""
    woken = []
    for pk in list(Incident.objects.unresolved().filter(asleep_until__lte=now).values_list("pk", flat=True)):
        with transaction.atomic():
            try:
                incident = lock_incident(pk, UNRESOLVED, "woken")
            except NotAllowedError:  # the incident has ended meanwhile
                continue
            if incident.asleep_until is not None and not incident.is_asleep(now):
                _wake(incident, by=BY_ITSELF, now=now)
                woken.append(pk)
    return woken


def _wake(incident: Incident, *, by: str, now: datetime.datetime) -> Incident:
    incident.asleep_until, incident.woke_at = None, now
    incident.save(update_fields=["asleep_until", "woke_at"])
    add_event(None, "incident_woke", by=by, now=now, **reference_of(incident))
    return incident
