"""The data passed between the outbox and delivery: claimed work, and the outcome of its attempt."""

import datetime
import uuid
from dataclasses import dataclass, field

from orders.texts.error_messages import MESSAGES

RESTORED = "restored"  # the code of a BPM step that waits for a person after a restore (contract 3.9, 17)
ACTED_BEFORE = "acted_before"  # the code of a step that the partner acted on before, with other bytes (contract 3.5)
NOT_UNDERSTOOD = "not_understood"  # the meaning of an answer, and the code of a step that failed after one (7.2)
UNANSWERED = "unanswered"  # the code of a BPM start that was refused or has no retry left, after an unanswered call
UNPROVEN = "unproven"  # the code of a step that was refused by a call that is not proven
IN_A_ROW = "refusals_in_a_row"  # the code of the third of a series of refusals
LOOK_UP = "look_up"  # the code of a query that only a person can answer: the partner has no look-up (7.2)
DOUBTS = frozenset(
    {NOT_UNDERSTOOD, UNANSWERED, UNPROVEN, IN_A_ROW}
)  # the codes of failures that never start a compensation automatically
WORKER_DIED = MESSAGES["worker_died"].english


@dataclass(frozen=True)
class Work:
    """One claimed dispatch: its payload, its key and the end of its lease. `Outcome` is its result."""

    dispatch_id: int
    attempt_id: int
    token: uuid.UUID
    channel: str
    step: str
    key: str
    request_id: str
    payload: str
    lease_until: datetime.datetime
    size: int = 0
    alone: bool = False
    order: str = ""
    attempt: int = 0  # the number of the attempt
    trace: str = ""  # the id by which the call is found again at the partner (contract 6)
    after_loss: bool = False  # the worker that had claimed the dispatch before died
    unsure: bool = False  # an earlier attempt was not answered, so a refusal says nothing about its effect
    ask_first: bool = False  # the dispatch was attempted before a restore, so the partner is queried instead
    posted: bool = False  # its records are posted as cancelled instead of deleted
    mail: bool = False  # `dispatch_id` is the id of a mail, not of a step


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one attempt. `result` is one of Attempt.Outcome. `unknown`: the call was sent, and may have acted.

    `transport`: the failure concerns the partner, not the request. `free`: this does not count as an attempt, since the
    partner's breaker is open, or this machine could not carry out the step. `mail`: `dispatch_id` is the id of a mail.

    `message` is for the log. If pages have a text for the message (`error_messages.py`), `params` hold its content as a
    code with parameters.

    `data` is the partner's data: `process` (BPM), `usage` (rows of traffic), `held` (the partner's records, after a
    query or if the partner acted before), `findings` (errors in files, as dicts), `payload` (of a mail: with the
    remaining recipients). `retry_after` is in seconds.

    `read`: the meaning of the answer (`success`, `refused`, `not_understood`, ...; contract 7.2), if the answer was
    read. `raw`: the first bytes of the answer, which are not kept for a success. `charset`: the charset that the answer
    declares. `rules`: the hash of the rules by which the answer was read.
    """

    dispatch_id: int
    attempt_id: int
    token: uuid.UUID
    result: str
    channel: str = ""
    code: str = ""
    message: str = ""
    params: dict = field(default_factory=dict)
    http_status: int | None = None
    answer: str = ""
    unknown: bool = False
    transport: bool = False
    free: bool = False
    retry_after: float | None = None
    data: dict = field(default_factory=dict)
    mail: bool = False
    read: str = ""
    raw: bytes = b""
    charset: str = ""
    rules: str = ""

    @property
    def not_understood(self) -> bool:
        return self.read == NOT_UNDERSTOOD

    @property
    def logged(self) -> str:
        """Returns code and message, as stored in the log and in the rows about a call."""
        return f"{self.code}: {self.message}" if self.code else self.message

    @classmethod
    def of(cls, work: Work, result: str, **more) -> "Outcome":
        attempt: dict = {"dispatch_id": work.dispatch_id, "attempt_id": work.attempt_id, "token": work.token}
        return cls(**attempt, channel=work.channel, mail=work.mail, result=result, **more)
