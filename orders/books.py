"""What the big-data side holds, in our words: the boundary between its answers and the core (contract 3.3, look-up)."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils import timezone
from django.utils.module_loading import import_string

from orders.queries.pausing import why_paused
from orders.services.incidents import PARTNER_PAUSED

CREATE, DELETE, SETTLE, NOTHING = "create", "delete", "settle", ""  # what puts a difference right
ASK = "integrations.bigdata.books.ask"  # dotted paths: the core does not import what lies above it
LOOK = "integrations.reconciliation.look"


class BooksSilentError(Exception):
    """The big-data side did not answer; `code` and the message say how."""

    def __init__(self, message: str, *, code: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class HeldRecord:
    """One billing record as the big-data side holds it. `key`: the domain in lower case. `live`: cancelStatus 1.

    `create_time` and `cancel_time` are None where what it sent is no time. `fields` is its row as it came, values as
    texts without U+0000. `readable`: productId and domain are there and came as they are kept.
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
        return self.domain.lower()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One difference between our records of an order and the big-data side's. `kind`: of models.Difference.Kind.

    `ours` and `theirs`: live, cancelled, missing and the like; `fields`: {name: [ours, theirs]}. `remedy`: `create`
    (send our record again, live or cancelled), `delete` (theirs, as `named` names it), `settle` (ours was unknown, and
    is now what `theirs` says, with their `times` of creating and cancelling where we have none) or none: what can't be
    named exactly can't be deleted. `record`: the id of ours, if there is one.
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
        """What is kept of it for a reader."""
        told = {"ours": self.ours, "theirs": self.theirs}
        return told | ({"fields": self.fields} if self.fields else {})


@dataclass(frozen=True, kw_only=True)
class Look:
    """One order's records held against the big-data side's. `seen`: what ours were like (`reconciling.snapshot`);
    `records`: how many there are on the side that has more."""

    findings: list[Finding]
    seen: dict
    records: int


def look(order_id: int) -> Look:
    """Asks now, and compares. Never inside a transaction. Raises BooksSilentError."""
    _check_not_paused()
    question: Callable[[int], Look] = import_string(LOOK)
    return question(order_id)


def ask(job_id: str) -> list[HeldRecord]:
    """The records that the big-data side holds for an order, asked for now. Never inside a transaction.

    Raises BooksSilentError.
    """
    _check_not_paused()
    question: Callable[[str], list[HeldRecord]] = import_string(ASK)
    return question(job_id)


def _check_not_paused() -> None:
    if why := why_paused("bigdata", now=timezone.now()):
        raise BooksSilentError(f"nothing was asked: {why}", code=PARTNER_PAUSED)
