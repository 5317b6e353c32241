"""The shape: the intended content of a trial, and the records that follow from this content (contract 3.9, 19). Pure.

A trial's shape is a fold in the order of numbers over the trial's own message, its changes in effect, its endings, and
the ends that staff accepted. The shape does not depend on the records at the big-data side.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI, in_ten_years


@dataclass(frozen=True, kw_only=True)
class ChangeRequest:
    """The message of a trial or of a change. `number` is 0 for the trial's own message.

    `domains` are the names as sent, or None if the message lists none. An empty `service` and an `end` of None leave
    the shape's value unchanged. `not_done`: keys of domains to which the change was not applied, since staff gave the
    change up. The state of these domains does not change.
    """

    number: int
    domains: tuple[str, ...] | None = None
    service: str = ""
    end: datetime.date | None = None
    not_done: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of a trial for another reason than its last day (contract 3.9, 13 and 16)."""

    number: int


@dataclass(frozen=True, kw_only=True)
class AcceptedEndDate:
    """The last day that staff accepted from the big-data side. If it is None, the trial has no end."""

    number: int
    end: datetime.date | None


Entry = ChangeRequest | Ending | AcceptedEndDate
NOT_HELD = datetime.date.min  # the last day of a record that is not live


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The intended content of a trial.

    `domains`: names by their `domain_key`. `end`: the last day, or None. `closed`: an ending is in effect. Then
    `domains` and `end` keep the values that would apply without the ending.
    """

    domains: dict[str, str] = field(default_factory=dict)
    service: str = ""
    end: datetime.date | None = None
    closed: bool = False

    def is_over(self, today: datetime.date) -> bool:
        """Returns True if an ending is in effect, the last day has passed, or no domain is left."""
        return self.closed or not self.domains or (self.end is not None and self.end < today)

    def names_later(self, end: datetime.date | None) -> bool:
        """Returns True if this last day is later than the shape's last day, or if the shape has no last day."""
        return end is not None and (self.end is None or end > self.end)

    @property
    def ends_at(self) -> datetime.datetime | None:
        """The time at which the trial's records end: the last day at 23:59:59, or None if the records have no end."""
        return last_moment(self.end)

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a TrialShape."""
        return {
            "domains": list(self.domains.values()),
            "service": self.service,
            "ends_on": self.end,
            "closed": self.closed,
        }

    def fits(self, created: datetime.datetime | None, ends: datetime.datetime | None) -> bool:
        """Returns True if a record with these times has the intended end. If the shape has no end, the intended end is
        ten years or more after `created`."""
        if created is None or ends is None:
            return False
        return ends == self.ends_at if self.end else ends >= in_ten_years(created)


def fold(entries: Iterable[Entry]) -> Shape:
    shape = Shape()
    for entry in sorted(entries, key=lambda entry: entry.number):
        shape = after(shape, entry)
    return shape


def after(shape: Shape, entry: Entry) -> Shape:
    """Returns the shape after this entry, whose number must be the highest so far."""
    if isinstance(entry, Ending):
        return replace(shape, closed=True)
    if isinstance(entry, AcceptedEndDate):
        return replace(shape, end=entry.end)
    return Shape(
        domains=shape.domains if entry.domains is None else _listed(shape.domains, entry),
        service=entry.service or shape.service,
        end=entry.end or shape.end,
        closed=shape.closed and not shape.names_later(entry.end),
    )


def _listed(before: dict[str, str], entry: ChangeRequest) -> dict[str, str]:
    """Replaces the domain list. Domains for which the change was not done keep their previous state."""
    listed = {domain_key(name): name for name in entry.domains or ()}
    kept = {one: name for one, name in before.items() if one in entry.not_done and one not in listed}
    return {one: name for one, name in listed.items() if one not in entry.not_done or one in before} | kept


def last_moment(day: datetime.date | None) -> datetime.datetime | None:
    """Returns the end of a record with this last day: 23:59:59 in Asia/Shanghai, or None without a day."""
    return day and datetime.datetime.combine(day, datetime.time(23, 59, 59), SHANGHAI)


def effective_part(
    before: Shape, said: ChangeRequest, held: Mapping[tuple[str, str], datetime.date | None]
) -> ChangeRequest:
    """Returns the part of a given-up change that still counts (contract 3.9, 19).

    Domains to which the change was not applied are left out. Service and end remain only if every domain of the result
    has them. `before` is the trial's shape without the change. `held` are the trial's live records: the last day (None:
    no end) by service and domain key.
    """
    wanted = after(before, said)
    services = {before.service, wanted.service}

    def is_live(domain: str) -> bool:
        return any((service, domain) in held for service in services)

    come, gone = wanted.domains.keys() - before.domains.keys(), before.domains.keys() - wanted.domains.keys()
    not_done = {one for one in come if not is_live(one)} | {one for one in gone if is_live(one)}
    said = replace(said, not_done=frozenset(not_done))
    domains = after(before, said).domains
    if any((wanted.service, one) not in held for one in domains):
        said = replace(said, service="")
    service = after(before, said).service
    if any(held.get((service, one), NOT_HELD) != wanted.end for one in domains):
        said = replace(said, end=None)
    return said


def is_same(one: Shape, other: Shape) -> bool:
    return one.domains.keys() == other.domains.keys() and replace(one, domains={}) == replace(other, domains={})
