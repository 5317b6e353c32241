"""What a trial is meant to be, and which records follow from it (contract 3.9, 19).

A second fold, which shares no line with the desk's own. Pure: no database, no clock. An end is a moment as on the wire,
empty where there is none. `story.py` finds out what was said.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

END_OF_DAY = "235959"


# --- the fold


@dataclass(frozen=True)
class Said:
    """A trial's message, or a change: only what it gives. `domains` is its full list (`as_ascii`).

    `place` is its number. `about`: the domains of which it says anything, or all. `gone` is the place at which it was
    withdrawn; `with_trial`: only since its trial was.
    """

    place: int
    number: str
    domains: frozenset[str] | None = None
    service: str = ""
    end: str = ""
    about: frozenset[str] | None = None
    gone: int | None = None
    with_trial: bool = False

    def says_nothing(self) -> bool:
        """Whether nothing of it is left, after it was given up."""
        return not (self.service or self.end) and (self.domains is None or self.about == frozenset())


@dataclass(frozen=True)
class Ending:
    """The trial has ended with what an activation left behind (contract 3.9, 13 and 16)."""

    place: int
    gone: int | None = None


@dataclass(frozen=True)
class Taken:
    """Staff took the end that the partner's records have."""

    place: int
    end: str
    gone: int | None = None


Item = Said | Ending | Taken


@dataclass(frozen=True)
class Shape:
    """What a trial is meant to be. `listed` are the domains without regard to an ending."""

    domains: frozenset[str] = frozenset()
    service: str = ""
    end: str = ""
    listed: frozenset[str] = frozenset()

    def is_over(self, now: str) -> bool:
        """Whether its end has passed, or no domain is left."""
        return not self.domains or bool(self.end) and self.end < now


def fold(items: Iterable[Item]) -> Shape:
    """The shape of what is said, by number. Withdrawn items must be left out by the caller."""
    domains, service, end, over = frozenset(), "", "", False
    for item in sorted(items, key=lambda one: one.place):
        if isinstance(item, Ending):
            over = True
        elif isinstance(item, Taken):
            end = item.end
        else:
            if item.domains is not None and item.about is None:
                domains = item.domains
            elif item.domains is not None:
                domains = domains - item.about | item.domains & item.about
            service = item.service or service
            if item.end:
                over = over and not (not end or item.end > end)
                end = item.end
    return Shape(frozenset() if over else domains, service, end, domains)


def as_of(items: Iterable[Item], place: int) -> list[Item]:
    """What was in effect at this place of the history."""
    return [one for one in items if one.place <= place and (one.gone is None or one.gone > place)]


def in_effect(items: Iterable[Item]) -> list[Item]:
    return [one for one in items if one.gone is None]


# --- the partner's records


class Row(NamedTuple):
    """A record at the partner, as far as it is judged here. Times are as on the wire."""

    job: str
    product: str
    domain: str
    live: bool
    created: str
    until: str
    kind: str
    service: str

    def runs(self, now: str) -> bool:
        """Whether it is live later than now."""
        return self.live and self.until > now


def as_ascii(domain: str) -> str:
    """How a host name is compared: in lower case and in its `xn--` form."""
    return domain.lower() if domain.isascii() else domain.encode("idna").decode().lower()


def read_rows(records: Iterable[dict]) -> list[Row]:
    """The sandbox's records."""
    return [
        Row(
            one["jobId"],
            one["productId"],
            as_ascii(one["domain"]),
            one["cancelStatus"] == "1",
            one["createTime"],
            one["cancelTime"],
            one["infoType"],
            one["businessType"],
        )
        for one in records
    ]


def right_end(row: Row, end: str) -> bool:
    """That end; without one anything from ten years on."""
    return row.until == end if end else row.until >= ten_years_on(row.created)


def ten_years_on(moment: str) -> str:
    later = f"{int(moment[:4]) + 10}{moment[4:]}"
    return later if moment[4:8] != "0229" else f"{later[:4]}0228{later[8:]}"


def wrong_trial_records(shape: Shape | None, rows: Iterable[Row], now: str) -> Iterator[str]:
    """How the records of a trial differ from its shape; None: none may run on."""
    running: dict[str, list[Row]] = {}
    for row in rows:
        if row.runs(now):
            running.setdefault(row.domain, []).append(row)
    domains = shape.domains if shape else frozenset()
    for domain in sorted(domains - running.keys()):
        yield f"{domain} has no live record"
    for domain, found in sorted(running.items()):
        if domain not in domains:
            yield f"{domain} runs on until {found[0].until}, and is not meant"
        elif len(found) > 1:
            yield f"{domain} has {len(found)} live records, under {sorted(row.product for row in found)}"
        elif {found[0].product, found[0].service} != {shape.service}:
            yield f"{domain} is live under service {found[0].product}, meant is {shape.service}"
        elif not right_end(found[0], shape.end):
            yield f"{domain} runs until {found[0].until}, meant is {shape.end or 'no end'}"


# --- what is left of what was given up


def left_of(said: Said, before: Shape, rows: Iterable[Row], now: str) -> list[Said]:
    """What a given-up change (or a trial's message) still says, by the partner's books; where the contract can be read
    in more ways, each reading.

    It says nothing about domains on which it did not act, and of service and end nothing unless every domain of the
    result has them.
    """
    rows = list(rows)
    run_on, live = [row for row in rows if row.runs(now)], [row for row in rows if row.live]
    found = _left_of(said, before, run_on)
    if len(live) != len(run_on):  # what has run out was not cancelled
        found += _left_of(said, before, live)
    return list(dict.fromkeys(found))


def _left_of(said: Said, before: Shape, rows: Iterable[Row]) -> list[Said]:
    there: dict[str, list[Row]] = {}
    for row in rows:
        there.setdefault(row.domain, []).append(row)
    readings = [frozenset()]
    if said.domains is not None:
        differing = said.domains ^ before.domains
        acted = frozenset(one for one in differing if (one in there) == (one in said.domains))
        same = frozenset(one for one in said.domains & before.domains if one in there)
        readings = [acted, acted | same]
    found = []
    for about in dict.fromkeys(readings):
        result = before.domains if said.domains is None else before.domains - about | said.domains & about
        here = [there.get(one, []) for one in result]
        services = _counts(said.service, here, lambda row: row.product == said.service, alone=True)
        ends = _counts(said.end, here, lambda row: right_end(row, said.end), alone=False)
        services += [""] if said.service == before.service else []  # what it says again, it need not have done
        for service, end in product(services, ends):
            one = replace(said, about=about, service=service, end=end)
            if about == readings[0] or readings[0] or service or end:  # what did nothing acted on no domain
                found.append(one)
    return found


def _counts(value: str, here: Sequence[list[Row]], has: Callable[[Row], bool], *, alone: bool) -> list[str]:
    """The value where every domain has it, "" where one has not, both where that can be read in two ways."""
    if not value:
        return [""]
    if not here:
        return ["", value]
    if not all(any(has(row) for row in rows) for rows in here):
        return [""]
    if alone and any(not has(row) for rows in here for row in rows):
        return ["", value]  # the old service is live beside the new one
    return [value]


def wire(moment: datetime.datetime) -> str:
    """As on the wire; the moment must be local already."""
    return f"{moment:%Y%m%d%H%M%S}"
