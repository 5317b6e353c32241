"""Incidents of this system itself: low disk space, refused BBOSS calls, failed deliveries. They stop no order.

The sweep opens and closes these incidents each minute.
"""

import contextlib
import datetime
import shutil
import socket

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django_q.models import Failure

from orders.db.applied_migrations import applied_migrations
from orders.incidents.incidents import end_incidents, lock_incidents
from orders.models import InboundMessage, Incident
from orders.models.inbound import ACCEPTED
from orders.models.querysets import UNRESOLVED
from orders.outbox.enqueue import DRAIN
from orders.texts.error_messages import say_in_english
from orders.texts.errors import NotAllowedError

DESK = "desk"  # the `partner` of these incidents
DISK_LOW, INTAKE_REFUSED, DELIVERY_FAILED = "disk_low", "intake_refused", "delivery_failed"
MIN_CALLS = 5  # fewer calls are not evaluated (assumed value)
MAX_CALLS = 20_000  # number of newest calls that are evaluated
ALL_WITHIN, HALF_WITHIN = datetime.timedelta(minutes=2), datetime.timedelta(minutes=10)
SWEEP = "integrations.tasks.sweep"
FAILED_WITHIN = datetime.timedelta(minutes=10)
LONGEST_ERROR = 200  # characters


@transaction.atomic
def open_desk_incident(code: str, *, params: dict, now: datetime.datetime) -> None:
    """Opens or updates an incident about this system itself. `params` are the parameters of the code's message.

    An ignored incident stays ignored until it ends.
    """
    lock_incidents([(DESK, code)])
    same = _standing(code)
    said: dict = {"detail": say_in_english(code, params), "detail_params": {"code": code, **params}, "last_at": now}
    if not same.update(**said):
        Incident.objects.create(partner=DESK, code=code, first_at=now, **said)


def close_desk_incident(code: str, *, now: datetime.datetime) -> None:
    """Ends the incident about this system itself, if there is one."""
    open_ones = _standing(code)
    if open_ones.exists():
        with transaction.atomic():
            lock_incidents([(DESK, code)])
            end_incidents(open_ones, now=now, mail=False)


def keep_desk_incident(code: str, params: dict | None, *, now: datetime.datetime) -> None:
    """Opens or updates the incident if there are `params`. Otherwise ends the incident."""
    if params:
        open_desk_incident(code, params=params, now=now)
    else:
        close_desk_incident(code, now=now)


def keep_own_incident(code: str, params: dict | None, *, now: datetime.datetime) -> None:
    """Like `keep_desk_incident`, for a condition of this machine. Only the machine that reported the condition ends the
    incident."""
    here = {"machine": socket.gethostname()[:64]}
    if params or not _standing(code).exclude(detail_params__machine=here["machine"]).exists():
        keep_desk_incident(code, params and params | here, now=now)


def _standing(code: str) -> QuerySet[Incident]:
    states = [*UNRESOLVED, Incident.State.IGNORED]
    return Incident.objects.filter(partner=DESK, step="", code=code, state__in=states)


# --- free disk: below EXPORT_MIN_FREE_MB, postponable work of staff is refused, to keep space for orders (contract 4)


def check_free_space() -> None:
    """Raises NotAllowedError and opens the incident if too little disk space is free."""
    if low := _too_little():
        open_desk_incident(DISK_LOW, params=low, now=timezone.now())
        raise NotAllowedError(DISK_LOW, **low)


def watch_free_space(*, now: datetime.datetime) -> None:
    """Opens or closes the incident. The sweep calls it each minute."""
    keep_desk_incident(DISK_LOW, _too_little(), now=now)


def _too_little() -> dict[str, int]:
    """Returns the free and the required MiB if too little is free. Otherwise, or if the disk can't be queried, returns
    {}."""
    folder, least = settings.EXPORT_DIR, settings.EXPORT_MIN_FREE_MB
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free // 2**20
        return {"free": free, "least": least} if free < least else {}
    return {}


# --- repeatedly refused calls of BBOSS, computed from the stored messages, so that calls do no extra work


def watch_refused_calls(*, now: datetime.datetime) -> None:
    """Opens the incident, or closes it once a call was accepted. The sweep calls it each minute."""
    counts = _count_answers(now)
    found = _worst_answer(counts)
    if found or any(code == ACCEPTED for code, _long, _short in counts):
        keep_desk_incident(INTAKE_REFUSED, found, now=now)


def refused_calls(*, now: datetime.datetime) -> dict | None:
    """Returns the response code (`answer`) that refused all calls within 2 minutes, or more than half of the calls
    within 10 minutes. Returns None if there is no such code.

    `number` of `total` calls in `minutes` were refused with this code.
    """
    return _worst_answer(_count_answers(now))


def _count_answers(now: datetime.datetime) -> list[tuple[str, int, int]]:
    """Returns (code, calls within 10 minutes, calls within 2 minutes) for each response code."""
    newest = InboundMessage.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return []
    rows = InboundMessage.objects.filter(
        pk__gt=newest - MAX_CALLS, received_at__range=(now - HALF_WITHIN, now + HALF_WITHIN)
    )
    short = Count("pk", filter=Q(received_at__gt=now - ALL_WITHIN))
    return list(rows.order_by().values_list("rsp_code").annotate(long=Count("pk"), short=short))


def _worst_answer(counts: list[tuple[str, int, int]]) -> dict | None:
    for within, column, share in ((ALL_WITHIN, 2, 1.0), (HALF_WITHIN, 1, 0.5)):
        total = sum(row[column] for row in counts)
        code, number = max(((row[0], row[column]) for row in counts), key=lambda one: one[1], default=(ACCEPTED, 0))
        refused = code != ACCEPTED and (number == total or number > share * total)
        if total >= MIN_CALLS and refused and not _is_cured(code, counts):
            return {"answer": code, "number": number, "total": total, "minutes": within.seconds // 60}
    return None


def _is_cured(code: str, counts: list[tuple[str, int, int]]) -> bool:
    """Returns True if there were calls within the last 2 minutes and no call got this code."""
    lately = [row[0] for row in counts if row[2]]
    return bool(lately) and code not in lately


# --- deliveries that failed through our own errors, from the queue's failures: their steps stay unfinished


def watch_failed_tasks(*, now: datetime.datetime) -> None:
    """Opens or closes the incident about failed drains and sweeps. The sweep calls it each minute."""
    keep_desk_incident(DELIVERY_FAILED, failed_tasks(now=now), now=now)


def failed_tasks(*, now: datetime.datetime) -> dict | None:
    """Returns the `number` of drains and sweeps that failed within `minutes`, and the newest `error`. Returns None if
    no task failed.

    Tasks that began before the newest migration was applied are ignored, since these tasks ran against another schema.
    """
    lately = (now - FAILED_WITHIN, now + FAILED_WITHIN)
    rows = Failure.objects.filter(func__in=[DRAIN, SWEEP], stopped__range=lately)
    if rows.exists():
        applied = [row.applied for row in applied_migrations(connection).values() if row.applied <= now]
        rows = rows.filter(started__gt=max(applied)) if applied else rows
    newest = rows.order_by("-stopped").first()
    if newest is None:
        return None
    error = str(newest.result).strip().partition("\n")[0].partition(" : Traceback")[0][:LONGEST_ERROR]
    return {"number": rows.count(), "minutes": FAILED_WITHIN.seconds // 60, "error": error}
