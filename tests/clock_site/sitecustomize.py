"""Gives the processes of a test a clock of their own. It is on PYTHONPATH of those processes only.

TEST_CLOCK_FILE holds an ISO time: from the moment it was written the clock creeps on, a thousand times slower than the
real one. For calls on the wire it stands still, but no two readings are equal (django-q2's queue needs that).
Or it holds `+SECONDS` or `-SECONDS`: the real clock, that much later or earlier.

TEST_KILLER holds a text: a process that sends a call with this text in its body dies at once.
"""

import datetime
import os
import signal

PATH = os.environ.get("TEST_CLOCK_FILE")
CREEP = 0.001
KILLER = os.environ.get("TEST_KILLER")


def _now() -> datetime.datetime:
    with open(PATH) as file:
        text = file.read().strip()
    if text[0] in "+-":
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(text))
    base = datetime.datetime.fromisoformat(text)
    real = datetime.datetime.now(datetime.UTC).timestamp() - os.stat(PATH).st_mtime
    return (base + datetime.timedelta(seconds=max(real, 0) * CREEP)).astimezone(datetime.UTC)


if PATH:
    from django.utils import timezone

    timezone.now = _now
if KILLER:
    from requests.adapters import HTTPAdapter

    _send = HTTPAdapter.send

    def _send_or_die(self, request, *args, **kwargs):
        if KILLER.encode() in request.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return _send(self, request, *args, **kwargs)

    HTTPAdapter.send = _send_or_die
