"""Computes the shape of a trial and the records that follow from the shape (contract 3.9, 19).

The shape is the trial's domains, service and end. The computation shares no code with the desk's own. It uses no
database and no clock. Ends are texts in the wire's format, or "" for no end. `story.py` collects the messages and
acts.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

END_OF_DAY = "235959"


# --- computing the shape


@dataclass(frozen=True)
class Said:
    """The values that the message of a trial or of a change gives.

    `place` is the message's position by its number. `domains` is the full list of domains (`as_ascii`). `about` has
    the domains about which the message decides; None means all domains. `gone` is the place of the message's
    withdrawal, or None. `with_trial` is True if a change was withdrawn only together with its trial.
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
        """Returns True if nothing of a given-up message counts any more."""
        return not (self.service or self.end) and (self.domains is None or self.about == frozenset())


@dataclass(frozen=True)
class Ending:
    """The end of a trial that follows from what its activation left behind (contract 3.9, 13 and 16).

    Causes are a late undoing, a given-up restore or an accepted deletion of the activation.
    """

    place: int
    gone: int | None = None


@dataclass(frozen=True)
class Taken:
    """An end date of a trial that staff took from the partner's records (`take`), or set by `move_end`."""

    place: int
    end: str
    gone: int | None = None


Item = Said | Ending | Taken


@dataclass(frozen=True)
class Shape:
    """The domains, service and end of a trial.

    `listed` has the domains that it would have if no activation had ended it.
    """

    domains: frozenset[str] = frozenset()
    service: str = ""
    end: str = ""
    listed: frozenset[str] = frozenset()

    def is_over(self, now: str) -> bool:
        """Returns True if the end of the trial has passed, or if no domain is left."""
        return not self.domains or bool(self.end) and self.end < now


def fold(items: Iterable[Item]) -> Shape:
    """Returns the shape that results from the items (messages, endings, taken ends) in the order of their numbers.

    The caller must leave out withdrawn items.
    """
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
    """Returns the items that were in effect at this place of the history."""
    return [one for one in items if one.place <= place and (one.gone is None or one.gone > place)]


def in_effect(items: Iterable[Item]) -> list[Item]:
    return [one for one in items if one.gone is None]


# --- the partner's records


class Row(NamedTuple):
    """The checked fields of a billing record at the partner. Times are texts in the wire's format."""

    job: str
    product: str
    domain: str
    live: bool
    created: str
    until: str
    kind: str
    service: str

    def runs(self, now: str) -> bool:
        """Returns True if the record is live and ends after `now`."""
        return self.live and self.until > now


def as_ascii(domain: str) -> str:
    """Returns a host name in the form in which names are compared: lower case, with `xn--` labels."""
    return domain.lower() if domain.isascii() else domain.encode("idna").decode().lower()


def read_rows(records: Iterable[dict]) -> list[Row]:
    """Converts the sandbox's billing records to rows."""
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
    """Returns True if the record has this end. If `end` is empty, the record must last at least ten years."""
    return row.until == end if end else row.until >= ten_years_on(row.created)


def ten_years_on(moment: str) -> str:
    later = f"{int(moment[:4]) + 10}{moment[4:]}"
    return later if moment[4:8] != "0229" else f"{later[:4]}0228{later[8:]}"


def wrong_trial_records(shape: Shape | None, rows: Iterable[Row], now: str) -> Iterator[str]:
    """Yields the differences between the trial's records and its shape. Without a shape, no record may run on."""
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


# --- the rest of a given-up item


def left_of(said: Said, before: Shape, rows: Iterable[Row], now: str) -> list[Said]:
    """Returns what still counts of a given-up change or trial message, according to the partner's records.

    If the contract can be read in several ways, returns each reading. The message decides only about domains on which
    its steps acted. Its service and its end count only if every domain of the resulting shape has them.
    """
    rows = list(rows)
    run_on, live = [row for row in rows if row.runs(now)], [row for row in rows if row.live]
    found = _left_of(said, before, run_on)
    if len(live) != len(run_on):  # some records expired without a cancel
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
        services += [""] if said.service == before.service else []  # the same service may need no act
        for service, end in product(services, ends):
            one = replace(said, about=about, service=service, end=end)
            if about == readings[0] or readings[0] or service or end:  # without any effect, no domain counts
                found.append(one)
    return found


def _counts(value: str, here: Sequence[list[Row]], has: Callable[[Row], bool], *, alone: bool) -> list[str]:
    """Returns [value] if every domain has the value, and [""] if a domain lacks it.

    Returns both if the records can be read both ways.
    """
    if not value:
        return [""]
    if not here:
        return ["", value]
    if not all(any(has(row) for row in rows) for rows in here):
        return [""]
    if alone and any(not has(row) for rows in here for row in rows):
        return ["", value]  # a record of the old service is live too
    return [value]


def wire(moment: datetime.datetime) -> str:
    """Returns a local time as text in the wire's format."""
    return f"{moment:%Y%m%d%H%M%S}"
