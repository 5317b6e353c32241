"""Pauses the calls to a partner, and resumes them (contract 3.5 and section 5, `pause`).

A pause is read inside the transaction that claims (claim.py), so nothing is claimed for a partner once its pause is
committed. A call in progress ends as usual. Steps stay due: no attempt, retry or lease is changed.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db import transaction
from django.db.models import DateTimeField, Q, QuerySet
from django.utils import timezone

from orders.db.advisory_lock import take_lock
from orders.db.compiled_sql import Prepared, Slot
from orders.history.actors import spoken
from orders.history.order_locks_and_events import add_event, add_events, event
from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.incidents.incidents import end_incidents, lock_incidents, open_incident, reference_of
from orders.mails.mail_creation import queue_mail
from orders.models import Incident, Order, PartnerHold, Pause
from orders.outbox.enqueue import wake
from orders.outbox.proven_calls import PARTNER_OF, end_holds, held_steps, rules
from orders.pauses.paused_steps import count_waiting, slept_through, waiting_steps
from orders.rules.steps import OUTSIDE, Partner, Step
from orders.texts.errors import NotAllowedError, check_reason

PAUSE_LOCK = (0x1D5D, 0)  # the advisory lock that claims share and a pause takes exclusively; any numbers will do
REMIND_AFTER = datetime.timedelta(hours=4)
MAX_NAMED = 500  # orders listed in an event because their start day passed during a pause
BY_ITSELF = "system"

NEXT_END = Prepared(
    lambda: (
        Pause.objects.not_ended()
        .filter(until__lte=Slot("until", DateTimeField()))
        .order_by("until")
        .values_list("until")
    )
)


@dataclass(frozen=True)
class Resumed:
    """A pause that has ended, how many steps waited, and the activations (`slept`) whose start day passed meanwhile.

    `held`: the hold by the desk itself that has ended (contract 7.2), or None. Without a pause `pause` is None. `read`:
    the orders of which a step is done by the current meaning of its kept answer.
    """

    pause: Pause | None
    waiting: int
    slept: list[str] = field(default_factory=list)
    held: PartnerHold | None = None
    read: list[str] = field(default_factory=list)


def pause_partner(
    *, partner: str, reason: str, by: str, now: datetime.datetime, until: datetime.datetime | None = None
) -> Pause:
    """Pauses a partner. From the commit on nothing is claimed for it, until `until` or a resume.

    If the partner is paused already, the pause continues without a gap: reason and `until` are replaced, `paused_by`
    and `since` stay. Raises NotAllowedError (no such partner, no reason, `until` is not ahead).
    """
    if partner not in OUTSIDE:
        raise NotAllowedError("no_such_pause", partner=partner, known=", ".join(OUTSIDE))
    check_reason(reason, "a pause")
    if until is not None and until <= now:
        raise NotAllowedError("pause_over")
    end_pauses(now=now)
    with transaction.atomic():
        take_lock(PAUSE_LOCK)  # waits for the claims that are under way; later ones see the pause
        row = _locked(partner)
        again = row is not None
        row = row or Pause(partner=partner, since=now, paused_by=by[:160])
        row.reason, row.until = reason.strip(), until
        row.save()
        add_event(
            None,
            "partner_paused",
            by=by,
            now=now,
            partner=partner,
            reason=row.reason,
            again=again,
            until=timezone.localtime(until).isoformat(timespec="minutes") if until else "",
        )
        if until:
            _end_reminder(partner, now)
    return row


def resume(*, partner: str, by: str, now: datetime.datetime) -> Resumed:
    """Resumes the partner's calls, including those that the desk holds (contract 7.2). Kept answers are read again by
    `resume_partner` (orders/sending/reread_answers.py), which pages and commands call.

    Raises NotAllowedError if the partner is neither paused nor held, or if running processes have another profile of
    the partners than this process.
    """
    end_pauses(now=now)
    if partner in PARTNER_OF.values() and (others := rules.others() if rules.others else []):
        raise NotAllowedError("other_profiles", machines=", ".join(others))
    with transaction.atomic():
        row, waiting = _locked(partner), held_steps(partner, now=now).count()
        held = next(iter(end_holds(partner, by=by, now=now)), None)
        if row is None and held is None:
            raise NotAllowedError("not_paused", partner=partner)
        found = _resume(row, by=by, at=now, now=now) if row is not None else Resumed(None, waiting)
        wake()
    return replace(found, held=held)


def _locked(partner: str) -> Pause | None:
    return Pause.objects.not_ended().select_for_update().filter(partner=partner).first()


def end_pauses(*, now: datetime.datetime) -> list[Resumed]:
    """Ends pauses whose `until` has passed, with an event and a wake-up. Claims ignore such a pause even before
    that."""
    passed = Pause.objects.not_ended().filter(until__lte=now)
    if not passed.exists():
        return []
    with transaction.atomic():
        return [_resume(row, by=BY_ITSELF, at=row.until, now=now) for row in passed.select_for_update()]


def next_end(*, until: datetime.datetime) -> datetime.datetime | None:
    """Returns when the next pause ends by itself, if not later than `until`. A time in the past means now."""
    return NEXT_END.first(until=until)


def _resume(row: Pause, *, by: str, at: datetime.datetime, now: datetime.datetime) -> Resumed:
    waiting = count_waiting(now=now, partner=row.partner)
    slept = list(slept_through(row, now=at))
    row.resumed_at, row.resumed_by = at, by[:160]
    row.save(update_fields=["resumed_at", "resumed_by"])
    numbers = [order.number for order in slept]
    add_event(
        None,
        "partner_resumed",
        by=by,
        now=now,
        partner=row.partner,
        since=timezone.localtime(row.since).isoformat(),
        waiting=waiting,
        slept=numbers[:MAX_NAMED],
        more=max(0, len(numbers) - MAX_NAMED),
    )
    add_events([event(order, "start_slept_through", by=by, now=now, partner=row.partner) for order in slept])
    _end_reminder(row.partner, now)
    wake()
    return Resumed(row, waiting, numbers)


def remind_of_pauses(*, now: datetime.datetime) -> list[str]:
    """Opens an incident for a pause without an end after 4 hours. Every 4 hours after that, a mail is sent again.

    The mails are about orders that wait for the partner, one for each attribution. If none waits, there is only the
    incident. A pause of the mail server queues no mails, since they would wait for it. Returns the partners.
    """
    long_ago = now - REMIND_AFTER
    due = Pause.objects.not_ended().filter(Q(reminded_at=None) | Q(reminded_at__lte=long_ago), until=None)
    due = due.filter(since__lte=long_ago)
    return [row.partner for row in due if _remind(row, now)]


@transaction.atomic
def _remind(row: Pause, now: datetime.datetime) -> bool:
    """Reminds of one pause. Returns False if another worker has done so."""
    if not Pause.objects.not_ended().filter(pk=row.pk, reminded_at=row.reminded_at).update(reminded_at=now):
        return False
    detail = f"{spoken(row.paused_by)}: {row.reason}"
    reminded = set(_reminders(row.partner).values_list("affected__order", flat=True))
    for order in _one_of_each_attribution(row.partner, now):
        incident = open_incident(order, **_about(row.partner), detail=detail, now=now)
        if order.pk in reminded and row.partner != Partner.MAIL and not incident.is_asleep(now):
            cause = f"incident {incident.pk} {now:%Y%m%d%H%M%S}"
            about = {"detail": detail, "words": "", **reference_of(incident)}
            queue_mail(order, Step.MAIL_INCIDENT, cause=cause, now=now, **about)
    lock_incidents([(row.partner, PARTNER_PAUSED)])
    if not _reminders(row.partner).exists():
        Incident.objects.create(**_about(row.partner), detail=detail, first_at=now, last_at=now)
    wake()
    return True


def _one_of_each_attribution(partner: str, now: datetime.datetime) -> Iterable[Order]:
    """Returns one order per attribution that waits for the partner: the same order each time, as long as it waits."""
    rows = waiting_steps(now=now, partners=[partner]).order_by("order_id")
    pairs = rows.values_list("order__attribution", "order_id").distinct()
    first: dict[str, int] = {}
    for letters, order in pairs.iterator():
        first.setdefault(letters, order)
    return Order.objects.filter(pk__in=first.values()).defer("content").order_by("pk")


def _about(partner: str) -> dict:
    return {"partner": partner, "step": "", "code": PARTNER_PAUSED}


def _reminders(partner: str) -> QuerySet[Incident]:
    return Incident.objects.unresolved().filter(**_about(partner))


def _end_reminder(partner: str, now: datetime.datetime) -> None:
    lock_incidents([(partner, PARTNER_PAUSED)])
    end_incidents(_reminders(partner), now=now)
