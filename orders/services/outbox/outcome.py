"""How one attempt ended: what delivery tells the core."""

import uuid
from dataclasses import dataclass, field

RESTORED = "restored"  # the code of a BPM step that waits for a person since the database was restored (3.9, 17)
ACTED_BEFORE = "acted_before"  # the code of a step that the partner acted on before, with other bytes (contract 3.5)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one attempt ended. `result` is one of Attempt.Outcome; `unknown`: it was sent, and may have acted.

    `transport`: it says something about the partner, not the request. `free`: the partner's breaker is open, so a
    failure costs no attempt.

    `message` is for the log; `params` say the same as a code, where pages have words for it (`error_messages.py`).

    `data` is what the partner gave: `process` (BPM), `usage` (rows of traffic), `held` (records that it holds, after a
    question or where it acted before), `findings` (what is wrong with files, as dicts). `retry_after` in seconds.
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
