"""The big-data side's records in our terms: the boundary between its answers and the core (contract 3.3, look-up)."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils import timezone

from orders.content import domain_key
from orders.queries.pauses import why_paused
from orders.services.incidents import PARTNER_PAUSED

CREATE, DELETE, SETTLE, NOTHING = "create", "delete", "settle", ""  # what corrects a difference


class BooksSilentError(Exception):
    """The big-data side did not answer. `code` and the message say how."""

    def __init__(self, message: str, *, code: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class HeldRecord:
    """A billing record as the big-data side holds it. `key` is the domain's `domain_key`. `live` means cancelStatus 1.

    `create_time` and `cancel_time` are None if what it sent is not a time. `fields` is its row as it came, with values
    as texts without U+0000. `readable`: productId and domain are present, and we can store them unchanged.
    """

    product_id: str
    domain: str
    info_type: str
    enterprise_id: str
    live: bool
    create_time: datetime.datetime | None = None
    cancel_time: datetime.datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)
    readable: bool = True

    @property
    def key(self) -> str:
        return domain_key(self.domain)


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One difference between our records of an order and the big-data side's. `kind` is one of models.Difference.Kind.

    `ours` and `theirs` are live, cancelled, missing and the like. `fields` is {name: [ours, theirs]}. `record` is the
    id of our record, if there is one. `remedy` is one of these:

    - `create`: send our record again, live or cancelled.
    - `delete`: delete the record of theirs that `named` names.
    - `settle`: ours was unknown and is now what `theirs` says, with their times where we have none.
    - none: a record that can't be named exactly can't be deleted.

    `times` are theirs of creating and cancelling, None where they can't be read.
    """

    kind: str
    product_id: str
    domain: str
    ours: str
    theirs: str
    remedy: str
    record: int | None = None
    named: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)
    times: tuple[datetime.datetime | None, datetime.datetime | None] = (None, None)

    @property
    def detail(self) -> dict:
        sides = {"ours": self.ours, "theirs": self.theirs}
        return sides | ({"fields": self.fields} if self.fields else {})


@dataclass(frozen=True, kw_only=True)
class OrderComparison:
    """A comparison of one order's records with the big-data side's. `seen` is the state of our records at that time
    (`results.snapshot`), `records` the number of records on the side that has more, `held` what the big-data side has.
    """

    discrepancies: list[Discrepancy]
    seen: dict
    records: int
    held: list[HeldRecord] = field(default_factory=list)


@dataclass
class Client:
    """Who asks the big-data side. `integrations` gives its functions when the app starts, since it lies above."""

    compare_now: Callable[[int], OrderComparison] | None = None
    fetch_records: Callable[[str], list[HeldRecord]] | None = None


client = Client()


def compare_now(order_id: int) -> OrderComparison:
    """Asks and compares now. Must not run in a transaction. Raises BooksSilentError."""
    _check_not_paused()
    return client.compare_now(order_id)


def fetch_records(job_id: str) -> list[HeldRecord]:
    """The records that the big-data side holds for an order, on the terms of `compare_now`."""
    _check_not_paused()
    return client.fetch_records(job_id)


def _check_not_paused() -> None:
    if why := why_paused("bigdata", now=timezone.now()):
        raise BooksSilentError(f"nothing was asked: {why}", code=PARTNER_PAUSED)
