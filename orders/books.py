"""What the big-data side holds, in our words: the boundary between its answers and the core (contract 3.3, look-up)."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.module_loading import import_string

ASK = "integrations.bigdata.books.ask"  # a dotted path: the core does not import what lies above it


class BooksSilentError(Exception):
    """The big-data side did not answer; `code` and the message say how."""

    def __init__(self, message: str, *, code: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class HeldRecord:
    """One billing record as the big-data side holds it. `key`: the domain in lower case. `live`: cancelStatus 1.

    `create_time` and `cancel_time` are None where what it sent is no time. `fields` is its row as it came, values as
    texts without U+0000.
    """

    product_id: str
    domain: str
    info_type: str
    enterprise_id: str
    live: bool
    create_time: datetime.datetime | None = None
    cancel_time: datetime.datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.domain.lower()


def ask(job_id: str) -> list[HeldRecord]:
    """The records that the big-data side holds for an order, asked for now. Never inside a transaction.

    Raises BooksSilentError.
    """
    question: Callable[[str], list[HeldRecord]] = import_string(ASK)
    return question(job_id)
