"""The shape of a trial on its page: its domains, service and last day, each with its source."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from orders.history.actors import actor_of
from orders.lists.service_names import service_name
from orders.models import Order, ServiceType
from orders.trials.trial_state_sources import CHANGE, ENDING, TAKEN, Parts, Source, parts_of

DOMAINS_SHOWN = 6


@dataclass(frozen=True)
class Line:
    """A part of the shape as text, and its source. `change`: the order to link to, if the user may see it."""

    what: str
    source: str = ""
    change: Order | None = None


@dataclass(frozen=True)
class ShapeLines:
    """A trial's shape as text. `ended` is None while the trial runs. `domains`: the first domains. `number`: the total
    number of domains."""

    service: Line
    last_day: Line
    ended: Line | None
    domains: list[Line]
    number: int


def shape_lines(trial: Order, *, sees: Callable[[list[int]], set[int]]) -> ShapeLines:
    """Returns a trial's shape. `sees` returns the ids of orders visible to the user. Makes at most eight queries."""
    parts = parts_of(trial)
    shape = parts.shape
    some = list(parts.domains.items())[:DOMAINS_SHOWN]
    sources = [source for source in (parts.service, parts.end, parts.ending, *(one for _name, one in some)) if source]
    visible = sees(sorted({source.change.pk for source in sources if source.change}))

    def line(what: str, source: Source | None) -> Line:
        change = source.change if source and source.change and source.change.pk in visible else None
        return Line(what, source_words(source, trial) if source else "", change)

    return ShapeLines(
        service=line(service_words(trial, shape.service), parts.service),
        last_day=line(shape.end.isoformat() if shape.end else _("none"), parts.end),
        ended=line(_("an ending stands: it does not run on until a change names a later end"), parts.ending)
        if parts.ending
        else None,
        domains=[line(name, source) for name, source in some],
        number=len(parts.domains),
    )


def domain_sources(trial: Order, parts: Parts) -> dict[str, str]:
    return {name: source_words(source, trial) for name, source in parts.domains.items()}


def source_words(source: Source, trial: Order) -> str:
    if source.kind == CHANGE:
        return _("change %(number)s") % {"number": source.change.number if source.change else ""}
    about = {
        "who": actor_of(source.by, at=source.at)[0],
        "at": f"{timezone.localtime(source.at):%Y-%m-%d %H:%M}" if source.at else "",
    }
    if source.kind == TAKEN:
        return _("taken from the big-data side %(at)s by %(who)s") % about
    if source.kind == ENDING:
        return _("an activation was taken back %(at)s") % about
    return _("entered by hand") if getattr(trial, "entered_by", None) else _("the trial's own message")


def service_words(trial: Order, service: str) -> str:
    """Returns the name of the service that a trial should have. Makes a query only if a change modified the service."""
    same = service == trial.service_type_id
    row = trial.service_type if same else ServiceType.objects.filter(pk=service).first()
    return service_name(row) or service
