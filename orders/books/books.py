"""The interface between the big-data side's answers and the core: the big-data side's records as data classes (contract
3.3, look-up)."""

import datetime
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.outbox.outcome import LOOK_UP
from orders.pauses.paused_steps import why_paused
from orders.rules.host_names import domain_key

CREATE, DELETE, SETTLE, NOTHING = "create", "delete", "settle", ""  # ways to correct a difference


class BooksSilentError(Exception):
    """The big-data side did not answer. `code` and the message give the reason."""

    def __init__(self, message: str, *, code: str):
        super().__init__(message)
        self.code = code


class RecordFileError(Exception):
    """A file of the big-data side's records can't be read. The message gives line and column."""


@dataclass(frozen=True, kw_only=True)
class HeldRecord:
    """A billing record at the big-data side. `key`: the domain's `domain_key`. `live`: cancelStatus 1.

    `create_time` and `cancel_time` are None if the received value is not a time. `fields`: the received row, with
    values as texts without U+0000. `readable`: productId and domain are present and can be stored unchanged.
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
class Look:
    """A manual look-up in place of the big-data side's answer: rows under our names, as of a time (contract 7.2).

    Fields that a row lacks were not checked. Pages and commands keep the look-up as `text`.
    """

    rows: list[dict[str, str]]
    as_of: datetime.datetime

    @classmethod
    def read(cls, text: str) -> "Look | None":
        """Parses a text. Returns None for an empty text."""
        found = json.loads(text) if text else None
        return found and cls(rows=found["rows"], as_of=datetime.datetime.fromisoformat(found["as_of"]))

    @property
    def text(self) -> str:
        return json.dumps({"as_of": self.as_of.isoformat(), "rows": self.rows}, ensure_ascii=False)

    def of_job(self, job_id: str) -> list[dict[str, str]]:
        """Returns the records of a jobId. If the partner has no delete call, some rows count as absent (contract
        7.1)."""
        rows = [row for row in self.rows if row["jobId"] == job_id]
        return list(client.present(rows))


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One difference between our records of an order and the big-data side's. `kind` is one of models.Difference.Kind.

    `ours` and `theirs` are live, cancelled, missing and the like. `fields` is {name: [ours, theirs]}. `record` is the
    id of our record, if there is one. `remedy` is `create` (send our record again, live or cancelled), `delete` (delete
    the partner's record given in `named`), `settle` (our record was unknown and becomes `theirs`, with the partner's
    times if we have none) or empty (a record that can't be identified exactly can't be deleted). `times` are the
    partner's creation and cancellation times, or None if the times can't be parsed.
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
    """A comparison of one order's records with the big-data side's.

    `our_snapshot`: the state of our records at the time of the comparison (`results.snapshot`). `records`: the larger
    of the two record counts. `held`: the records of the big-data side.
    """

    discrepancies: list[Discrepancy]
    our_snapshot: dict
    records: int
    held: list[HeldRecord] = field(default_factory=list)


@dataclass
class Client:
    """Functions that query the big-data side. `integrations`, a higher layer, sets them when the app starts.

    `held`: converts rows under our names to records. `present`: returns the rows that do not count as absent.
    `read_file`: returns the rows of the given jobIds in a file (RecordFileError).
    """

    compare_now: Callable[[int, Look | None], OrderComparison] | None = None
    fetch_records: Callable[[str], list[HeldRecord]] | None = None
    held: Callable[[Iterable[dict]], list[HeldRecord]] | None = None
    present: Callable[[Iterable[dict]], Iterable[dict]] | None = None
    read_file: Callable[[Path, Collection[str]], list[dict[str, str]]] | None = None


client = Client()


def has_look_up() -> bool:
    """Returns True if the big-data side can be queried. Otherwise a person must look up the records (contract 7.2)."""
    return bool(settings.PARTNERS.bigdata.query.path)


def compare_now(order_id: int, look: Look | None = None) -> OrderComparison:
    """Queries and compares now, or compares with a manual look-up.

    Must not run in a transaction. Raises BooksSilentError.
    """
    _check_can_ask(look)
    return client.compare_now(order_id, look)


def fetch_records(job_id: str, look: Look | None = None) -> list[HeldRecord]:
    """Returns the records that the big-data side has for an order. The conditions are the same as for `compare_now`."""
    _check_can_ask(look)
    return client.held(look.of_job(job_id)) if look else client.fetch_records(job_id)


def _check_can_ask(look: Look | None) -> None:
    if look:
        return
    if not has_look_up():
        raise BooksSilentError("the big-data side offers no look-up", code=LOOK_UP)
    if why := why_paused("bigdata", now=timezone.now()):
        raise BooksSilentError(f"nothing was asked: {why}", code=PARTNER_PAUSED)
