"""The faults of the next responses."""

import threading
from dataclasses import asdict, dataclass
from math import isfinite

from integrations.sandbox.validation import Refusal

HTTP_ERRORS = ("500", "503", "429", "409")
SLOW_KINDS = ("slow", "slow_drip")
FAULT_KINDS = (*HTTP_ERRORS, *SLOW_KINDS, "reset", "reset_after", "garbage", "refusal")
KINDS_THAT_ACT = ("slow", "slow_drip", "reset_after")
"""Kinds of faults with which a call is still carried out."""
LONGEST_SECONDS = 3600


@dataclass
class Fault:
    """The fault `kind` for the next `count` responses of `path`; `*` stands for any path."""

    path: str
    kind: str
    count: int = 1
    seconds: float = 30
    retry_after: int | None = None
    code: int = 400
    message: str = "沙箱拒绝"

    @property
    def acts(self) -> bool:
        return self.kind in KINDS_THAT_ACT


class Faults:
    """The remaining faults, oldest first. They are kept in memory only, so a restart removes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._left.append(fault)

    def next_fault(self, path: str) -> Fault | None:
        """Returns the oldest fault for this path and lowers its count by one."""
        if not self._left:
            return None
        with self._lock:
            for fault in self._left:
                if fault.path in (path, "*"):
                    fault.count -= 1
                    if not fault.count:
                        self._left.remove(fault)
                    return fault
        return None

    def left(self) -> list[dict]:
        with self._lock:
            return [asdict(fault) for fault in self._left]

    def clear(self) -> None:
        with self._lock:
            self._left.clear()


def parse_fault(asked: dict, paths: tuple[str, ...]) -> Fault:
    """Parses the body of `POST /faults`. Raises Refusal with the field's name."""
    unknown = sorted(set(asked) - set(Fault.__dataclass_fields__))
    if unknown:
        raise Refusal(unknown[0], f"unknown; known are {', '.join(Fault.__dataclass_fields__)}")
    if asked.get("path") not in (*paths, "*"):
        raise Refusal("path", f"must be one of {', '.join(paths)} or *")
    kind = asked.get("kind")
    if kind not in FAULT_KINDS:
        raise Refusal("kind", f"must be one of {', '.join(FAULT_KINDS)}")
    _check_whole(asked, "count", 1, 1_000_000)
    _check_whole(asked, "code", 0, 99_999)
    if asked.get("retry_after") is not None:
        _check_whole(asked, "retry_after", 0, 86_400)
    if "seconds" in asked:
        _check_seconds(asked["seconds"])
    if not isinstance(asked.get("message", ""), str):
        raise Refusal("message", "must be a string")
    return Fault(**asked)


def _check_whole(asked: dict, name: str, least: int, most: int) -> None:
    value = asked.get(name, least)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refusal(name, f"must be a whole number from {least} to {most}")


def _check_seconds(value: object) -> None:
    real = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    if not real or not 0 <= value <= LONGEST_SECONDS:
        raise Refusal("seconds", f"must be a number from 0 to {LONGEST_SECONDS}")
