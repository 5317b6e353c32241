"""PARTNER_RATE: the number of calls a second from this process to each partner (contract section 4).

Calls are spaced evenly: a call starts at least 1/`PARTNER_RATE` seconds after the previous call. So there are no
bursts, not even after a pause. All functions are thread-safe.
"""

import os
import threading
import time

from django.conf import settings


class Limit:
    """The rate limit of one partner. An `urgent` call is a further call of a step in progress. It gets the next
    slot."""

    def __init__(self):
        self._next = 0.0  # monotonic time of the next call's earliest start
        self._urgent = 0
        self._changed = threading.Condition()

    def acquire(self, *, latest: float | None = None, urgent: bool = False) -> bool:
        """Waits until a call may start. If that would be later than `latest` (by time.monotonic), returns False."""
        with self._changed:
            self._urgent += urgent
            try:
                return self._wait(latest, urgent)
            finally:
                self._urgent -= urgent
                self._changed.notify_all()

    def _wait(self, latest: float | None, urgent: bool) -> bool:
        while settings.PARTNER_RATE:
            now = time.monotonic()
            if latest is not None and max(now, self._next) > latest:
                return False
            if now < self._next:
                self._changed.wait(self._next - now)
            elif self._urgent and not urgent:
                self._changed.wait()  # an urgent call is next; that call notifies once it has its slot
            else:
                self._next = now + 1 / settings.PARTNER_RATE
                return True
        return True


_limits: dict[str, Limit] = {}
_lock = threading.Lock()


def wait_for_slot(partner: str, *, latest: float | None = None, urgent: bool = False) -> bool:
    """Waits until a call to this partner may start. If that would be later than `latest` (by time.monotonic), returns
    False. If PARTNER_RATE is 0, returns True at once."""
    if not settings.PARTNER_RATE:
        return True
    with _lock:
        limit = _limits.setdefault(partner, Limit())
    return limit.acquire(latest=latest, urgent=urgent)


def _forget() -> None:
    """Resets the limits and the lock in a forked child. The parent's threads, which might hold the lock, do not exist
    there."""
    global _lock
    _lock = threading.Lock()
    _limits.clear()


os.register_at_fork(after_in_child=_forget)
