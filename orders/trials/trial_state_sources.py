"""The sources of the parts of a trial's shape, and the reason why a trial has ended (contract 3.9, 19). Only reads."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from orders.models import Order, TrialEnd
from orders.rules.trial_shape import AcceptedEndDate, ChangeRequest, Ending, Entry, Shape, after
from orders.trials.trial_state_reads import entries_of

MESSAGE, CHANGE, TAKEN, ENDING = "message", "change", "taken", "ending"
LAST_DAY, NO_DOMAIN, ENDED = "last_day", "no_domain", "ended"
UNDONE_LATE, NOT_RESTORED = "undone_late", "not_restored"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of a part of a shape: MESSAGE, CHANGE, TAKEN or ENDING. `by` and `at` are set for TAKEN and ENDING."""

    kind: str
    change: Order | None = None
    by: str = ""
    at: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A trial's shape, with the sources of its parts. `domains`: {name: source}. `end` and `ending` are None if the
    trial has none."""

    shape: Shape
    domains: dict[str, Source] = field(default_factory=dict)
    service: Source | None = None
    end: Source | None = None
    ending: Source | None = None


def parts_of(trial: Order) -> Parts:
    """Returns the parts of a trial's shape. Makes five queries."""
    entries = sorted(entries_of([trial.pk])[trial.pk], key=lambda entry: entry.number)
    sources = _sources_of(trial, entries)
    shape, came = Shape(), {}
    service = end = ending = None
    for entry in entries:
        before, shape, source = shape, after(shape, entry), sources[entry.number]
        came |= dict.fromkeys(shape.domains.keys() - before.domains.keys(), source)
        says = isinstance(entry, ChangeRequest)
        service = source if says and entry.service else service
        if isinstance(entry, AcceptedEndDate):
            end = source if entry.end else None
        elif says and entry.end:
            end = source
        ending = (source if isinstance(entry, Ending) else ending) if shape.closed else None
    domains = {name: came[key] for key, name in shape.domains.items()}
    return Parts(shape=shape, domains=domains, service=service, end=end, ending=ending)


def _sources_of(trial: Order, entries: Iterable[Entry]) -> dict[int, Source]:
    changes = Order.objects.filter(trial=trial, kind=Order.Kind.CHANGE, in_effect=True, change_number__isnull=False)
    found = {0: Source(kind=MESSAGE)}
    for change in changes.only("number", "change_number"):
        found[change.change_number] = Source(kind=CHANGE, change=change)
    for row in TrialEnd.objects.filter(trial=trial):
        kind = ENDING if row.kind == TrialEnd.Kind.ENDING else TAKEN
        found[row.number] = Source(kind=kind, by=row.by, at=row.at)
    return found


def why_over(trial: Order, shape: Shape, today: datetime.date) -> str:
    """Returns the reason why a trial has ended, or "" if it has not ended. ENDED means that the reason is unknown,
    because an earlier version did not store it."""
    if shape.closed:
        event = trial.events.filter(kind="trial_ending").order_by("-pk").first()
        why = event.data.get("why", "") if event else ""
        return why if why in {UNDONE_LATE, NOT_RESTORED} else ENDED
    if not shape.domains:
        return NO_DOMAIN
    return LAST_DAY if shape.is_over(today) else ""
