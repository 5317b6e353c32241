"""The timeline of an order from BBOSS's call to its last step: each wait with its reason, and each call (`show`).

Computed from stored attempts, events and pauses. Steps that block nothing, and mails, are left out.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from orders.models import Attempt, Dispatch, Order, Pause
from orders.rules.steps import PARTNERS, Step

MAX_ATTEMPTS = 500  # attempts that are read
Moment = datetime.datetime
SHORT = datetime.timedelta(milliseconds=1)


class Why(TextChoices):
    QUEUE = "queue", _("for a worker")
    PARTNER = "partner", _("for the partner's answer")
    RETRY = "retry", _("for the next try")
    LEASE = "lease", _("the worker died")
    PAUSE = "pause", _("the partner is paused")
    HOLD = "hold", _("the order is held")
    APPROVAL = "approval", _("for BPM's approval")
    START = "start", _("for the start day")


BEFORE_A_TRY = {
    Attempt.Outcome.RETRY: Why.RETRY,
    Attempt.Outcome.NOT_UNDERSTOOD: Why.RETRY,
    Attempt.Outcome.HELD: Why.HOLD,
}
NOT_ENDED = (Dispatch.State.WAITING, Dispatch.State.DUE, Dispatch.State.RETRYING)
GATES = {Dispatch.Gate.APPROVAL: Why.APPROVAL, Dispatch.Gate.START: Why.START}


@dataclass(frozen=True)
class Stretch:
    """A period of an order's time. `attempt`: the call, if it was one. `step`: the step that was called or waited."""

    begins: Moment
    ends: Moment
    why: Why
    step: Step
    attempt: Attempt | None = None

    @property
    def seconds(self) -> float:
        return (self.ends - self.begins).total_seconds()


def times_of(order: Order, *, now: Moment) -> list[Stretch]:
    """Returns the periods from BBOSS's call to the last call, or to now if steps are left. Four queries."""
    rows = Attempt.objects.filter(dispatch__order=order, dispatch__blocking=True).order_by("started_at", "pk")
    attempts = list(rows.select_related("dispatch").defer("answer", "dispatch__payload")[:MAX_ATTEMPTS])
    pauses = list(Pause.objects.filter(Q(resumed_at=None) | Q(resumed_at__gt=order.received_at)))
    held = list(_held(order, now))
    found: list[Stretch] = []
    at, before = order.received_at, {}
    for attempt in attempts:
        step = attempt.dispatch
        found += _wait(at, attempt.started_at, step, before.get(step.pk), held, pauses)
        before[step.pk] = attempt
        ends = attempt.finished_at or now
        if ends > at:
            why = Why.LEASE if attempt.outcome == Attempt.Outcome.LOST else Why.PARTNER
            found.append(Stretch(max(at, attempt.started_at), ends, why, Step(step.step), attempt))
        at = max(at, ends)
    left = order.dispatches.current().filter(blocking=True, state__in=NOT_ENDED).order_by("position", "pk")
    if step := left.defer("payload").first():
        found += _wait(at, now, step, before.get(step.pk), held, pauses)
    return found


def placed(stretches: Sequence[Stretch]) -> Iterator[tuple[Stretch, float, float]]:
    """Yields each period with its beginning and length as fractions (0 to 1) of the whole time, for a chart."""
    if stretches:
        first, last = stretches[0].begins, stretches[-1].ends
        whole = (last - first).total_seconds() or 1
        for one in stretches:
            yield one, (one.begins - first).total_seconds() / whole, one.seconds / whole


def _held(order: Order, now: Moment) -> Iterator[tuple[Moment, Moment, Why]]:
    since = None
    for event in order.events.filter(kind__in=["received", "entered", "held", "went_on", "state"]).order_by("pk"):
        if since is None and (event.kind == "held" or event.data.get("state") == Order.State.HELD):
            since = event.at
        elif since and (event.kind == "went_on" or event.data.get("old") == Order.State.HELD):
            yield since, event.at, Why.HOLD
            since = None
    if since:
        yield since, now, Why.HOLD


def _wait(
    begins: Moment,
    ends: Moment,
    step: Dispatch,
    before: Attempt | None,
    held: Iterable[tuple[Moment, Moment, Why]],
    pauses: Iterable[Pause],
) -> Iterator[Stretch]:
    """Yields the wait before a call, split where the order was held or its partner paused."""
    usual = BEFORE_A_TRY.get(before.outcome, Why.QUEUE) if before else GATES.get(step.gate, Why.QUEUE)
    partner = PARTNERS[Dispatch.Channel(step.channel)]
    paused = ((one.since, one.resumed_at or one.until or ends, Why.PAUSE) for one in pauses if one.partner == partner)
    at = begins
    for since, until, why in sorted([*held, *paused]):
        since, until = max(since, at), min(until, ends)
        if until - since >= SHORT:
            if since - at >= SHORT:
                yield Stretch(at, since, usual, Step(step.step))
            yield Stretch(since, until, why, Step(step.step))
            at = until
    if ends - at >= SHORT:
        yield Stretch(at, ends, usual, Step(step.step))
