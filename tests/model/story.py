"""Checks the states of a trial's orders, and the partner's records, against all that was said about the trial.

The expected records follow only from messages, BPM's decisions and staff's acts. Events of the history show staff's
acts, and the sequence in which the desk planned the orders. The desk's own records, steps and numbers are not read.
The contract may leave open what follows from a fault, such as the domains on which a given-up change acted. In this
case, all readings are tried, and one of them must fit. Uses no database and no clock.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orders.rules.local_time import SHANGHAI
from tests.model.meant import (
    END_OF_DAY,
    Ending,
    Item,
    Row,
    Said,
    Shape,
    Taken,
    as_ascii,
    as_of,
    fold,
    in_effect,
    left_of,
    right_end,
    wire,
    wrong_trial_records,
)

ACTIVE, SCHEDULED, HELD = "active", "scheduled", "held"
TRIALING, CONVERTED, ENDED, WITHDRAWN, COMPENSATING = "trialing", "converted", "ended", "withdrawn", "compensating"
APPLIED, IN_PROGRESS, FAILED = "applied", "in_progress", "failed"
UNDER_WAY = {IN_PROGRESS, FAILED}
NOT_PLANNED_YET = {HELD, IN_PROGRESS, FAILED}
RECEIVED = {"received", "entered"}
PLANNED = {"went_on", "planned_again", "opened"}
FIXES = {"fix_create_billing", "fix_delete_billing", "move_attribution_billing"}
MOST_READINGS = 256
SLACK = datetime.timedelta(minutes=10)  # a tolerance, because the model sets the clock back


@dataclass(frozen=True)
class Told:
    """An event of the history. `place` is its position."""

    place: int
    number: str
    kind: str
    data: Mapping
    at: datetime.datetime


@dataclass(frozen=True)
class Books:
    """The partner's records at the time of the events from `since` to `until`."""

    since: int
    until: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Wrong:
    """An error in a state or in a record.

    It is excused if an open incident or an accepted difference about records names the order `excuse`. If `excuse` is
    empty, nothing excuses the error. `domain` is the domain of the records concerned.
    """

    text: str
    excuse: str = ""
    domain: str = ""


@dataclass
class Order:
    """An order with its message and its events."""

    number: str
    content: Mapping
    told: list[Told] = field(default_factory=list)

    @property
    def domains(self) -> frozenset[str] | None:
        listed = self.content.get("ProvContent")
        return frozenset(as_ascii(one["ProvReq"]) for one in listed) if listed else None

    @property
    def service(self) -> str:
        return self.content.get("BusinessType", "")

    @property
    def end(self) -> str:
        """Returns the last second of the order's last day, or ""."""
        return self.content["BizEnd"] + END_OF_DAY if self.content.get("BizEnd") else ""

    def first(self, kinds: Iterable[str]) -> Told | None:
        return next((one for one in self.told if one.kind in kinds), None)

    def last(self, kinds: Iterable[str]) -> Told | None:
        return next((one for one in reversed(self.told) if one.kind in kinds), None)

    def was(self, *states: str) -> bool:
        """Returns True if the order ever was in one of these states."""
        return any(one.kind == "state" and one.data["new"] in states for one in self.told)

    def state_at(self, place: int) -> str:
        """Returns the order's state just before this place of the history."""
        state = ""
        for one in self.told:
            if one.place >= place:
                break
            if one.kind in RECEIVED:
                state = one.data["state"]
            elif one.kind == "state":
                state = one.data["new"]
        return state

    def number_given(self) -> int | None:
        """Returns the place of the order's first planning since it was last held, or None for a held order.

        An order that is held for its files does not count as held here.
        """
        place = None
        for one in self.told:
            if one.kind == "held" and one.data.get("because") != "files":
                place = None
            elif one.kind in PLANNED or (one.kind in RECEIVED and one.data["state"] != HELD):
                place = place or one.place
        return place

    def last_planned(self) -> Told | None:
        """Returns the event of the last planning."""
        found = [
            one for one in self.told if one.kind in PLANNED or (one.kind in RECEIVED and one.data["state"] != HELD)
        ]
        return found[-1] if found else None


@dataclass
class Story:
    """All that was said about a trial, its changes and its activations, and their current states.

    `orders` has the trial first. `states` are the states on the desk. `holder` is the activation that has claimed the
    trial. `books` are the partner's records over time, oldest first. The last ones are the current records. With
    `loose`, events may be missing after a restore, so times are not checked.
    """

    trial: str
    orders: dict[str, Order]
    states: Mapping[str, str]
    holder: str
    books: Sequence[Books]
    now: datetime.datetime
    loose: bool = False

    def __post_init__(self):
        self.told = sorted((one for order in self.orders.values() for one in order.told), key=lambda one: one.place)
        self.wire_now = wire(self.now)
        self.rows = [row for row in self.books[-1].rows if row.job in self.orders]

    def kind(self, number: str) -> str:
        return {"1": "trial", "2": "change"}.get(self.orders[number].content.get("OrderType", ""), "activation")

    def of_kind(self, kind: str) -> list[Order]:
        return [order for number, order in self.orders.items() if self.kind(number) == kind]

    # --- the readings

    def readings(self) -> list[list[Item]]:
        """Returns the ways in which the messages and acts can be read, at most MOST_READINGS.

        Each way is a list of items.
        """
        worlds: list[list[Item]] = [[]]
        for item, variants in self._items():
            longer = []
            for world in worlds:
                for one in variants(world) if variants else [item]:
                    longer.append([*world, one] if one else world)
            worlds = longer[:MOST_READINGS]
        return worlds

    def _items(self) -> list[tuple[Item, Callable[[list[Item]], list[Item | None]] | None]]:
        """Returns (item, function) for each message, ending and taken end, sorted by their places.

        If an item has several readings, its function returns these readings, given the items before it. Otherwise the
        function is None.
        """
        found: list[tuple] = []
        trial = self.orders[self.trial]
        closed = trial.first({"withdrawn"})
        for order in [trial, *self.of_kind("change")]:
            place = order.number_given()
            if place is None:
                continue
            own = None if order is trial else order.first({"withdrawn"})
            gone = own or (None if order is trial else closed)
            said = Said(
                place,
                order.number,
                order.domains,
                order.service,
                order.end,
                gone=gone.place if gone else None,
                with_trial=bool(gone) and self._stays_with_trial(order, own, closed),
            )
            given = self._given_up(order)
            found.append((said, self._reducer(said, given) if given else None))
        found += self._endings()
        found += self._taken_ends()
        return sorted(found, key=lambda pair: pair[0].place)

    def _stays_with_trial(self, order: Order, own: Told | None, closed: Told | None) -> bool:
        """Returns True if an applied change was withdrawn only together with its trial.

        Such a change still describes the trial (contract 3.10).
        """
        if closed is None or order.number == self.trial:
            return False
        return (own is None or own.place > closed.place) and order.state_at(closed.place) == APPLIED

    def _given_up(self, order: Order) -> Told | None:
        """Returns the event that gave up a step of a trial or change, or None.

        Steps of an undoing and of a fix do not count.
        """
        for one in order.told:
            if one.kind == "withdrawn":
                return None
            steps = [one.data.get("step")] if one.kind == "given_up" else one.data.get("steps", [])
            forward = [step for step in steps if step not in FIXES and not str(step).startswith("restore")]
            if one.kind in {"given_up", "accepted"} and forward and order.state_at(one.place) in UNDER_WAY:
                return one
        return None

    def _reducer(self, said: Said, given: Told) -> Callable[[list[Item]], list[Item | None]]:
        order = self.orders[said.number]
        settled = next(
            (
                one
                for one in order.told
                if one.place > given.place and one.kind == "state" and one.data["new"] not in {*UNDER_WAY, HELD}
            ),
            None,
        )

        def variants(world: list[Item]) -> list[Item | None]:
            at = settled or given
            until = settled.place if settled else self.books[-1].until
            before = fold(as_of(world, at.place))
            found: list[Item | None] = [] if settled else [said]
            for books in self._books_between(given.place, until):
                rows = [row for row in books.rows if row.job == self.trial]
                found += left_of(said, before, rows, wire(at.at))
            return list(dict.fromkeys(found))

        return variants

    def _books_between(self, since: int, until: int) -> list[Books]:
        return [one for one in self.books if one.until >= since and one.since <= until] or [self.books[-1]]

    def _endings(self) -> Iterator[tuple]:
        """Yields the endings of the trial that staff caused by acts on activations.

        These acts are late undoings, given-up restores and accepted deletions.
        """
        for order in self.of_kind("activation"):
            for one in order.told:
                late = one.kind == "withdrawn" and one.data.get("how")
                restore = one.kind == "given_up" and one.data.get("step") == "restore_trial_billing"
                accepted = one.kind == "accepted" and "billed_not_active" in one.data.get("codes", [])
                restore |= one.kind == "accepted" and "restore_trial_billing" in one.data.get("steps", [])
                if not (late or restore or accepted):
                    continue
                freed = self._freed_by(order.number, one.place)
                ending = Ending(freed.place if freed else one.place)
                sure = freed and (late or (accepted and not restore))
                yield ending, None if sure else (lambda world, ending=ending: [ending, None])

    def _freed_by(self, number: str, since: int) -> Told | None:
        """Returns the event that released an activation's claim on the trial, or None."""
        for one in self.orders[self.trial].told:
            if one.place > since and one.kind == "claim_released" and one.data.get("activation") == number:
                return one
        return None

    def _taken_ends(self) -> Iterator[tuple]:
        """Yields the ends that staff took from the partner's records or set.

        Staff may have named another order of the trial.
        """
        for one in self.told:
            if one.kind == "end_moved":
                yield Taken(one.place, one.data["end"].replace("-", "") + END_OF_DAY), None
            if one.kind != "taken" or self.kind(one.number) == "activation":
                continue
            ends = set()
            for books in self._books_between(one.place, one.place):
                live = [row for row in books.rows if row.job == self.trial and row.live]
                ends |= {"" if right_end(row, "") else row.until for row in live}
            later = [
                place
                for change in self.of_kind("change")
                if change.end and (place := change.number_given()) and place > one.place
            ]

            def variants(world, ends=frozenset(ends), place=one.place, later=tuple(later)) -> list[Item | None]:
                shape = fold(as_of(world, place))
                found: list[Item | None] = [None]
                for end in sorted(ends - {shape.end}):
                    found.append(Taken(place, end))
                    if later:
                        found.append(Taken(place, end, gone=min(later)))
                return found

            yield Taken(one.place, ""), variants

    # --- the checks

    def wrong(self, excused: Callable[[Wrong], bool] = lambda wrong: False) -> list[Wrong]:
        """Returns the errors of the reading that has the fewest errors. Excused errors are left out."""
        best: list[Wrong] | None = None
        for world in self.readings():
            found = [*self._wrong_trial(world), *self._wrong_changes(world), *self._wrong_activations(world)]
            found = [wrong for wrong in found if not excused(wrong)]
            if not found:
                return []
            if best is None or len(found) < len(best):
                best = found
        return best or []

    def _wrong_trial(self, world: list[Item]) -> Iterator[Wrong]:
        trial, state, shape = self.orders[self.trial], self.states[self.trial], fold(in_effect(world))
        allowed = self._trial_states(trial, state, shape)
        if allowed and state not in allowed:
            yield Wrong(f"{self.trial} is {state}, meant is {' or '.join(sorted(allowed))}")
            return
        own = [row for row in self.rows if row.job == self.trial]
        if state in UNDER_WAY or state == COMPENSATING:
            return
        meant = shape if state == TRIALING and not self._has_started() else None
        if state == TRIALING and self._has_started() is None:
            return
        for line in wrong_trial_records(meant, own, self.wire_now):
            yield Wrong(f"{self.trial} is {state}: {line}", self.trial, line.split()[0])

    def _trial_states(self, trial: Order, state: str, shape: Shape) -> set[str]:
        """Returns the states that the trial may have. An empty set means that any state is possible."""
        if trial.first({"withdrawn"}):
            return {WITHDRAWN, COMPENSATING}
        if not trial.was(TRIALING, CONVERTED, ENDED) and state in NOT_PLANNED_YET:
            return set()
        over = shape.is_over(self.wire_now)
        base = {ENDED if over else TRIALING}
        started = self._has_started()
        if started is False:
            return base
        running = any(row.job == self.trial and row.runs(self.wire_now) for row in self.rows)
        return base | {CONVERTED} if started is None or over or running else {CONVERTED}

    def _has_started(self) -> bool | None:
        """Returns True if the activation that has claimed the trial has started, and None if that is unknown."""
        state = self.states.get(self.holder)
        if state == SCHEDULED:
            return None if self._start(self.orders[self.holder]) <= self.wire_now else False
        return {None: False, ACTIVE: True, HELD: False}.get(state)

    def _wrong_changes(self, world: list[Item]) -> Iterator[Wrong]:
        said = {item.number: item for item in world if isinstance(item, Said)}
        for change in self.of_kind("change"):
            state, own = self.states[change.number], change.first({"withdrawn"})
            closed = self.orders[self.trial].first({"withdrawn"})
            if own or (closed and change.told[0].place < closed.place):
                allowed = {WITHDRAWN, COMPENSATING}
            elif change.number not in said:
                allowed = {HELD}
                if state == HELD and (why := self._held_for_nothing(change, world)):
                    yield Wrong(f"{change.number} is held ({why})")
            elif self._given_up(change):
                left = said[change.number]
                allowed = {WITHDRAWN} if left.says_nothing() else {APPLIED}
                allowed |= {APPLIED} if change.content.get("DataFlow") else set()
                allowed |= UNDER_WAY if state in UNDER_WAY else set()
            else:
                allowed = {APPLIED, *UNDER_WAY}
            if state not in allowed:
                yield Wrong(f"{change.number} is {state}, meant is {' or '.join(sorted(allowed))}")

    def _held_for_nothing(self, change: Order, world: list[Item]) -> str:
        """Returns a text if the change is held without a valid reason, otherwise ""."""
        held = change.last({"held"})
        because = held.data["because"] if held else ""
        if because == "claim_held" and not self.holder:
            return f"{because}, and nobody holds the claim"
        shape, closed = (
            fold(as_of(world, held.place)) if held else Shape(),
            self.orders[self.trial].first({"withdrawn"}),
        )
        if because == "trial_closed" and not closed and shape.end and change.end > max(shape.end, self.wire_now):
            return f"{because}, and it names a later end than {shape.end}"
        if because == "trial_closed" and not closed and self.states[self.trial] == TRIALING:
            return f"{because}, and the trial runs again"
        return ""

    def lived_with(self, wrong: Wrong) -> bool:
        """Returns True if staff accepted the records of this error, and none of these records has changed since."""
        now = self._records_of(wrong, self.rows)
        accepted = [one.place for one in self.told if one.kind == "accepted"]
        unchanged = self.books[-1].until
        for books in reversed(self.books):
            if self._records_of(wrong, books.rows) != now:
                break
            unchanged = books.since
        return any(place >= unchanged for place in accepted)

    def _records_of(self, wrong: Wrong, rows: Iterable[Row]) -> set[Row]:
        return {row for row in rows if (row.job, row.domain) == (wrong.excuse, wrong.domain)}

    def _wrong_activations(self, world: list[Item]) -> Iterator[Wrong]:
        for order in self.of_kind("activation"):
            state = self.states[order.number]
            if state not in {ACTIVE, SCHEDULED}:
                continue
            lists = self._domains(order, world)
            found = [list(self._wrong_records(order, domains)) for domains in lists]
            for line in min(found, key=len):
                yield Wrong(f"{order.number} is {state}: {line}", order.number, line.split()[0])

    def _domains(self, order: Order, world: list[Item]) -> list[frozenset[str]]:
        """Returns the possible lists of domains that an activation bills.

        These are the domains of its message, or the domains that staff named. Otherwise they are the trial's domains
        at the time of its planning, according to the items still in effect. If staff accepted that it continues with a
        withdrawn change (contract 3.10), the list with that change is possible too.
        """
        if order.domains is not None:
            return [order.domains]
        named = order.last({"domains_named"})
        if named:
            return [frozenset(as_ascii(name) for name in named.data["domains"])]
        planned = order.last_planned()
        if planned is None:
            return [frozenset()]
        before = [one for one in world if one.place < planned.place]
        shape = fold(in_effect(before))
        lists = [shape.domains or shape.listed]
        closed = self.orders[self.trial].first({"withdrawn"})
        if closed and closed.place < planned.place:
            stay = [one for one in before if one.gone is None or getattr(one, "with_trial", False)]
            lists = [fold(stay).listed, fold(in_effect(before)).listed]
        if self._accepted_built_upon(planned):
            lists.append(fold(as_of(before, planned.place)).domains)
        return lists

    def _accepted_built_upon(self, planned: Told) -> bool:
        accepted = [one for one in self.told if one.kind == "accepted" and one.place > planned.place]
        return any("change_built_upon" in one.data.get("codes", []) for one in accepted)

    def _wrong_records(self, order: Order, domains: frozenset[str]) -> Iterator[str]:
        running: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.job == order.number and row.runs(self.wire_now):
                running.setdefault(row.domain, []).append(row)
        if not domains:
            yield "it has no domain"
        for domain in sorted(domains - running.keys()):
            yield f"{domain} has no live record"
        start, planned, taken = self._start(order), order.last_planned(), self._taken_starts(order)
        for domain, rows in sorted(running.items()):
            row = rows[0]
            if domain not in domains:
                yield f"{domain} is billed, and is not meant"
            elif len(rows) > 1:
                yield f"{domain} has {len(rows)} live records"
            elif (row.product, row.kind, row.service) != (order.content["ProductID"], "2", order.service):
                yield f"{domain} is billed as {row.product}/{row.service}"
            elif self.loose or row.created in taken:
                continue
            elif start and row.created != start:
                yield f"{domain} is billed from {row.created}, meant is {start}"
            elif not start and not wire(planned.at - SLACK) <= row.created <= wire(self.now + SLACK):
                yield f"{domain} is billed from {row.created}, it was planned at {wire(planned.at)}"

    def _taken_starts(self, order: Order) -> set[str]:
        """Returns the starts of the partner's records at the times when staff took them."""
        found = set()
        for one in order.told:
            if one.kind == "taken":
                for books in self._books_between(one.place, one.place):
                    found |= {row.created for row in books.rows if row.job == order.number}
        return found

    def _start(self, order: Order) -> str:
        """Returns the expected start of an activation as text.

        This is the beginning of the start day if that was in the future at the planning, otherwise "". Staff may have
        moved the start to another day, or to the time at which the big-data side received the move.
        """
        planned, day = order.last_planned(), order.content["BizStart"]
        moved = order.last({"start_moved"})
        if moved and planned and moved.place > planned.place:
            return "" if moved.data.get("at_once") else wire(_moment(moved.data["new"]))
        day = f"{_moment(moved.data['new']):%Y%m%d}" if moved else day
        return day + "000000" if planned and day > f"{planned.at:%Y%m%d}" else ""


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(SHANGHAI)
