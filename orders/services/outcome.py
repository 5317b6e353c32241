"""How one attempt ended: what delivery tells the core."""

import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one attempt ended. `result` is one of Attempt.Outcome; `unknown`: it was sent, and may have acted.

    `data` is what the partner gave: `process` (BPM), `usage` (rows of traffic). `retry_after` in seconds.
    """

    dispatch_id: int
    attempt_id: int
    token: uuid.UUID
    result: str
    code: str = ""
    message: str = ""
    http_status: int | None = None
    answer: str = ""
    unknown: bool = False
    retry_after: float | None = None
    data: dict = field(default_factory=dict)
