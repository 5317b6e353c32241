"""The counters of the last hour, with a row for each minute.

The rows show increases within some minutes. `/metrics` alone can't show such increases.

A worker writes the rows to STATE_DIR. They count this machine's processes. Only the number of due steps is that of the
whole desk.
"""

import contextlib
import datetime
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from integrations.base.counters import CountedCollector
from notifications.models import Mail
from orders.db.disk import replace_file
from orders.models import Dispatch
from orders.pauses.paused_steps import pauses_in_force
from orders.rules.steps import Channel

KEPT_SECONDS = 3700  # seconds
SLOW_LIMITS = {"desk_inbound_seconds": ("source", "2.5"), "desk_call_seconds": ("partner", "10.0")}
"""For a histogram: the label by which calls are grouped, and the seconds above which a call is slow."""
QUICK_CALLS, ALL_CALLS = "quick", "all"
DUE_STEPS, MANY_DUE = "due", 200


def note_figures(*, now: datetime.datetime) -> None:
    """Adds a row to the file. Does not report that STATE_DIR can't be written. StateFolderBroken reports it."""
    rows = [row for row in _read() if now.timestamp() - KEPT_SECONDS < row[0] < now.timestamp()]
    line = [now.timestamp(), _figures(now)]
    with contextlib.suppress(OSError):
        settings.STATE_DIR.mkdir(parents=True, exist_ok=True)
        replace_file(_file(), json.dumps([*rows, line]))


def _file() -> Path:
    return settings.STATE_DIR.absolute() / "figures.json"


def _read() -> list[list]:
    try:
        return json.loads(_file().read_text())
    except (OSError, ValueError):
        return []


def _figures(now: datetime.datetime) -> dict[str, float]:
    """Returns counters by name and labels: `desk_calls_total bpm refused`, `desk_call_seconds bpm quick`."""
    found: Counter[str] = Counter()
    for family in CountedCollector().collect():
        for name, labels, value, *_ in family.samples:
            stem, _, end = name.rpartition("_")
            if stem in SLOW_LIMITS:
                label, limit = SLOW_LIMITS[stem]
                if end == "count" or (end == "bucket" and labels["le"] == limit):
                    found[f"{stem} {labels[label]} {ALL_CALLS if end == 'count' else QUICK_CALLS}"] += value
            elif name == "desk_calls_total":
                found[f"{name} {labels['partner']} {labels['outcome']}"] += value
            elif name == "desk_inbound_total" and labels["source"] == "bpm":
                found[f"{name} {labels['code']}"] += value
            elif name == "desk_database_errors_total":
                found[f"{name} {labels['kind']}"] += value
    due = Counter(Dispatch.objects.due(now).order_by().values_list("channel", flat=True))
    due[Channel.MAIL] += Mail.objects.open().filter(next_try_at__lte=now).count()
    return dict(found) | {f"{DUE_STEPS} {channel}": number for channel, number in due.items()}


class Increase(NamedTuple):
    """The increase of each counter within `seconds`, by name and labels. `before` and `now` are the rows at the
    beginning and the end."""

    seconds: float
    now: dict[str, float]
    before: dict[str, float]

    def of(self, name: str) -> dict[str, float]:
        """Returns the increase of the counters of this name, by their labels."""
        begin = f"{name} "
        rows = {key.removeprefix(begin): key for key in self.now if key.startswith(begin)}
        return {labels: self.now[key] - self.before.get(key, 0.0) for labels, key in rows.items()}


def increase(minutes: int, *, now: datetime.datetime) -> Increase | None:
    """Returns the increase within this number of minutes up to the newest row. Without recent rows, returns None."""
    rows = [row for row in _read() if 0 <= now.timestamp() - row[0] < KEPT_SECONDS]
    if len(rows) < 2 or now.timestamp() - rows[-1][0] > 180:
        return None
    began = rows[-1][0] - minutes * 60 - 30
    before = next(row for row in rows if row[0] >= began)
    return Increase(rows[-1][0] - before[0], rows[-1][1], before[1])


def database_errors(*, now: datetime.datetime) -> dict | None:
    """Returns the `kind` of database error that occurred more than 10 times within `minutes`. Leaves out `away`."""
    found = increase(10, now=now)
    for kind, number in found.of("desk_database_errors_total").items() if found else ():
        if kind != "away" and number > 10:
            return {"kind": kind, "number": int(number), "minutes": 10}
    return None


def callbacks_refused(*, now: datetime.datetime) -> dict | None:
    """Returns the HTTP `status` (4xx or 5xx) of at least 5 responses to BPM's callbacks within `minutes`."""
    found = increase(10, now=now)
    for status, number in found.of("desk_inbound_total").items() if found else ():
        if status[0] in "45" and number >= 5:
            return {"status": status, "number": int(number), "minutes": 10}
    return None


def slow_intake(*, now: datetime.datetime) -> dict | None:
    """Returns the number of BBOSS's calls that took longer than 2.5 s. It must be above 1 % of at least 20 calls."""
    return _slow("desk_inbound_seconds", 10, now, only="bboss")


def slow_partner(*, now: datetime.datetime) -> dict | None:
    """Returns a partner with slow calls. A partner is slow if above 1 % of at least 20 calls took longer than 10 s."""
    return _slow("desk_call_seconds", 15, now)


def _slow(name: str, minutes: int, now: datetime.datetime, only: str = "") -> dict | None:
    """Returns the first source with slow calls, or None if no call was slow within the last two minutes."""
    long, short = increase(minutes, now=now), increase(2, now=now)
    if not long or not short:
        return None
    rows, lately = long.of(name), short.of(name)
    for key, total in rows.items():
        who, _, kind = key.partition(" ")
        slow = total - rows.get(f"{who} {QUICK_CALLS}", 0.0)
        still = lately[key] - lately.get(f"{who} {QUICK_CALLS}", 0.0)
        if kind == ALL_CALLS and only in {"", who} and total >= 20 and slow > total / 100 and still > 0:
            return {"who": who, "number": int(slow), "total": int(total), "minutes": minutes}
    return None


def partner_refuses(*, now: datetime.datetime) -> dict | None:
    """Returns the partner that refused at least 5 of our calls within `minutes`, and more than half of them."""
    found = increase(60, now=now)
    rows = found.of("desk_calls_total") if found else {}
    totals: Counter[str] = Counter()
    for key, number in rows.items():
        totals[key.partition(" ")[0]] += int(number)
    for who, total in totals.items():
        number = int(rows.get(f"{who} refused", 0.0))
        if number >= 5 and number > total / 2:
            return {"who": who, "number": number, "total": total, "minutes": 60}
    return None


def queue_growing(*, now: datetime.datetime) -> dict | None:
    """Returns a channel with a growing number of due steps: it has increased within `minutes`, and was above 200 at the
    beginning too. During a pause, returns None."""
    found = increase(15, now=now)
    if found is None or found.seconds < 14 * 60 or pauses_in_force(now=now):
        return None
    for channel, number in found.of(DUE_STEPS).items():
        due = int(found.now[f"{DUE_STEPS} {channel}"])
        if due - number > MANY_DUE and number > 0:
            return {"channel": channel, "due": due, "number": int(number), "minutes": 15}
    return None
