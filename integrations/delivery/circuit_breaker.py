"""The circuit breaker of each partner, in the database, shared by all workers (contract 3.5).

The breaker opens after BREAKER_FAILURES consecutive transport failures, or once consecutive transport failures span
five minutes. In both cases at least three dispatches must have failed, because a single dispatch may itself cause its
failures.

While the breaker is open, a failure costs no attempt. Every BREAKER_PROBE_SECONDS a single call is claimed for the
partner (a probe; half-open). So an open breaker delays calls but never drops them. The first answer that is not a
transport failure closes the breaker.
"""

import datetime
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from integrations.models import Breaker
from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.models import Attempt
from orders.outbox.outcome import LOOK_UP, Outcome
from orders.pauses.breaker_incidents import note_partner_down, note_partner_up
from orders.rules.steps import OUTSIDE, PARTNERS

logger = logging.getLogger(__name__)
LEAST_DISPATCHES = 3
KEPT_DISPATCHES = 10
SILENT_FOR = datetime.timedelta(minutes=5)  # the breaker opens if the partner gave no answer for so long
READ_EVERY = 1.0
OPEN_BREAKERS = Prepared(lambda: Breaker.objects.filter(opened_at__isnull=False).values_list("partner"))
FAILING_PARTNERS = Prepared(
    lambda: Breaker.objects.filter(OneOf("partner", "partners"), failures__gt=0).values_list("partner")
)


@dataclass
class Tally:
    """The outcomes of a batch for one partner.

    `failed` has the ids of dispatches, and the negated ids of mails. `answered` is True after at least one answer.
    """

    failed: list[int] = field(default_factory=list)
    answered: bool = False
    code: str = ""
    error: str = ""


def open_partners() -> set[str]:
    """Returns the partners whose breaker is open now."""
    return set(OPEN_BREAKERS())


def may_probe(partner: str, *, now: datetime.datetime) -> bool:
    """Reserves the next probe with an atomic UPDATE, so that only one worker sends a probe every BREAKER_PROBE_SECONDS.
    Returns True if this worker may send the probe."""
    again = now + datetime.timedelta(seconds=settings.BREAKER_PROBE_SECONDS)
    return bool(Breaker.objects.filter(partner=partner, probe_at__lte=now).update(probe_at=again))


def next_probe(*, after: datetime.datetime) -> datetime.datetime | None:
    """Returns the time of the next probe, or None if no breaker is open."""
    rows = Breaker.objects.filter(opened_at__isnull=False, probe_at__gt=after).order_by("probe_at")
    return rows.values_list("probe_at", flat=True).first()


class PartnerCache:
    """A set of partners from the database, cached for a second. These are partners with an open breaker, or paused
    partners."""

    def __init__(self, read: Callable[[], set[str]]):
        self._read = read
        self.forget()

    def forget(self) -> None:
        """Makes the next call of `partners` read the database."""
        self._known: set[str] = set()
        self._until = 0.0

    def partners(self) -> set[str]:
        """Returns the partners, read from the database at most a second ago."""
        if time.monotonic() >= self._until:
            self._known, self._until = self._read(), time.monotonic() + READ_EVERY
        return self._known


def note_outcomes(outcomes: Iterable[Outcome], *, now: datetime.datetime) -> bool:
    """Counts the outcomes of a batch. Returns True if a breaker's row was written.

    An answer resets the partner's count of failures. A row is written only if it changes, so a healthy partner costs
    one small SELECT per batch.
    """
    tallies = _tally(outcomes)
    if not tallies:
        return False
    written = False
    troubled = set(FAILING_PARTNERS(partners=tallies))
    for partner, tally in tallies.items():
        if tally.failed or partner in troubled:
            _save_tally(partner, tally, now)
            written = True
    return written


def _tally(outcomes: Iterable[Outcome]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for outcome in outcomes:
        partner = PARTNERS[outcome.channel]
        if partner not in OUTSIDE or outcome.result == Attempt.Outcome.HANDED_BACK or outcome.code == LOOK_UP:
            continue  # no call was made
        tally = tallies.setdefault(partner, Tally())
        if outcome.transport:
            tally.failed.append(-outcome.dispatch_id if outcome.mail else outcome.dispatch_id)
            tally.code, tally.error = outcome.code[:32], outcome.logged
        else:
            tally.answered = True
    return tallies


def _save_tally(partner: str, tally: Tally, now: datetime.datetime) -> None:
    """Stores a tally. Locks the breaker's row. Logs a warning if the breaker opens or closes."""
    with transaction.atomic():
        Breaker.objects.get_or_create(partner=partner)  # first, because only an existing row can be locked
        row = Breaker.objects.select_for_update(no_key=True).get(partner=partner)
        since = row.opened_at
        if tally.answered:
            if row.opened_at is not None:
                note_partner_up(row.partner, now=now)
            row.failures, row.dispatches = 0, []
            row.opened_at = row.probe_at = row.failing_since = None
        else:
            _count(row, tally, now)
        row.save()
    if since is None and row.opened_at:
        logger.warning(
            "the breaker of %s opens: its calls wait, a probe goes out now and then: %s", partner, tally.error
        )
    elif since and row.opened_at is None:
        logger.warning("the breaker of %s closes: it was open for %.0f s", partner, (now - since).total_seconds())


def _count(row: Breaker, tally: Tally, now: datetime.datetime) -> None:
    row.failing_since = (row.failing_since if row.failures else None) or now
    row.failures += len(tally.failed)
    row.dispatches = sorted({*row.dispatches, *tally.failed})[-KEPT_DISPATCHES:]
    row.last_code, row.last_error = tally.code, tally.error
    if row.opened_at is not None:
        return
    enough = row.failures >= settings.BREAKER_FAILURES or _silent_since(row, now) <= now - SILENT_FOR
    if enough and len(row.dispatches) >= LEAST_DISPATCHES:
        row.opened_at = now
        row.probe_at = now + datetime.timedelta(seconds=settings.BREAKER_PROBE_SECONDS)
        note_partner_down(row.partner, row.last_error, dispatch_id=tally.failed[-1], now=now)


def _silent_since(row: Breaker, now: datetime.datetime) -> datetime.datetime:
    """Returns the start of the consecutive failures, from the attempts of the dispatches in the row.

    Mails have no attempt rows. So if a mail failed, the start is at the latest `failing_since`, the time of the first
    counted failure.
    """
    tried = Attempt.objects.filter(dispatch__in=row.dispatches).exclude(outcome=Attempt.Outcome.HANDED_BACK)
    moments = list(tried.order_by("-pk").values_list("started_at", flat=True)[: row.failures])
    if row.failing_since and any(pk < 0 for pk in row.dispatches):
        moments.append(row.failing_since)
    return min(moments, default=now)
