"""Reads the story of each trial.

The messages are those that the senders know. What happened comes from the events of the history.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence

from django.utils import timezone

from orders.db.compiled_sql import Prepared
from orders.models import Order, OrderEvent
from tests.model.meant import read_rows
from tests.model.story import Books, Story, Told
from tests.model.story import Order as Heard

KINDS = [
    "received", "entered", "held", "went_on", "planned_again", "opened", "withdrawn", "given_up", "accepted", "taken",
    "claim_released", "domains_named", "state", "start_moved", "end_moved",
]  # fmt: skip
EVENTS = Prepared(
    lambda: (
        OrderEvent.objects.filter(kind__in=KINDS, order__isnull=False)
        .order_by("pk")
        .values_list("pk", "order", "kind", "data", "at")
    )
)
NEWEST = Prepared(lambda: OrderEvent.objects.order_by("-pk").values_list("pk")[:1])


class Seen:
    """The partner's records at the time of each event. `note` must be called before the records may change."""

    def __init__(self):
        self.books: list[Books] = []

    def note(self, records: list[dict]) -> None:
        """Stores the current records. Drops records of events that a restore has removed."""
        newest = NEWEST.first() or 0
        while self.books and self.books[-1].since > newest:
            self.books.pop()
        since = self.books[-1].until + 1 if self.books else 0
        if newest >= since:
            self.books.append(Books(since, newest, tuple(read_rows(records))))

    def note_changed(self, kind: str, place: int, job: str, records: list[dict]) -> None:
        """Stores records that a person changed before a look-up of the desk. The look-up follows the event `place`.

        The look-up will find these records. After an acceptance, they replace all stored records of `job` since the
        event, because nobody has seen the stored ones.
        """
        rows = tuple(read_rows(records))
        before = next((at for at, one in enumerate(self.books) if one.since <= place <= one.until), None)
        if before is None:
            return
        if kind == "given_up":
            self.books.insert(before + 1, Books(place, self.books[before].until, rows))
            return
        for at, one in enumerate(self.books[before + 1 :], before + 1):
            others = [row for row in one.rows if row.job != job]
            self.books[at] = Books(one.since, one.until, (*others, *(row for row in rows if row.job == job)))


def read_stories(
    orders: Mapping[int, Order],
    claims: Mapping[int, int],
    contents: Mapping[str, dict],
    seen: Sequence[Books],
    records: list[dict],
    *,
    now: datetime.datetime,
    loose: bool,
) -> Iterator[Story]:
    """Yields a story for each trial. `contents` has the accepted messages by number. `records` are the partner's
    current records."""
    told: dict[int, list[Told]] = {pk: [] for pk in orders}
    newest = 0
    for pk, order, kind, data, at in EVENTS():
        told[order].append(Told(pk, orders[order].number, kind, data, timezone.localtime(at)))
        newest = pk
    known = [one for one in seen if one.since <= newest]
    known.append(Books(known[-1].until + 1 if known else 0, newest, tuple(read_rows(records))))
    for trial in orders.values():
        if trial.kind != Order.Kind.TRIAL:
            continue
        family = [trial, *(one for one in orders.values() if one.trial_id == trial.pk)]
        holder = orders.get(claims.get(trial.pk))
        yield Story(
            trial=trial.number,
            orders={one.number: Heard(one.number, _message(one, contents), told[one.pk]) for one in family},
            states={one.number: one.state for one in family},
            holder=holder.number if holder else "",
            books=known,
            now=timezone.localtime(now),
            loose=loose,
        )


def _message(order: Order, contents: Mapping[str, dict]) -> Mapping:
    """Returns an order's message as its sender knows it.

    If the process was killed before it answered, the sender does not know that the message was stored. In this case,
    returns the stored message.
    """
    return contents.get(order.number) or order.content
