"""Sends alerts to robots when an incident opens, grows or ends.

Each minute a task of the worker records changes of incidents as alerts. Then the task sends each robot its unsent
alerts. No order, page or step waits for the task. A row per robot stores the last alert sent, so a kill loses no alert,
but one message may be sent again.
"""

import datetime
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from integrations.models import RobotAlert, RobotState, ToldIncident
from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.http_client import request_json
from integrations.robots.alert_texts import RobotMessage, one_message, summary_message
from integrations.robots.robot_protocols import ROBOT_KINDS, Robot, body_of, read_robots
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from orders.models import AffectedOrder, Incident
from orders.outbox.retry_schedule import WAITS, next_try
from orders.restore.detect_restore import read_restore_state

logger = logging.getLogger(__name__)
TIMEOUT = 5.0  # seconds for a whole call
BEGIN_FOR = 20.0  # seconds in which a run may start calls
LEASE = datetime.timedelta(seconds=60)
MINUTE, MOST_A_MINUTE = 60.0, 20
GROWS_BY = 10  # an incident has grown if it stops ten times as many orders as at its last alert
ALERTS_KEPT = datetime.timedelta(days=30)


def note_and_send() -> str:
    """Records and sends alerts. If another process holds the lease, or the database is restored, does nothing. Errors
    of robots are recorded and not raised."""
    robots = read_robots(settings.ALERT_WEBHOOKS)
    if not robots or read_restore_state().restored:
        return "nobody is told"
    lease = Lease("robots", held_for=LEASE)
    if not lease.is_free() or not lease.acquire():
        return "another process tells"
    try:
        states = {robot: _state_of(robot) for robot in robots}  # before new alerts, which new robots must get
        note_alerts(now=timezone.now())
        return f"{_send_all(states, lease)} told"
    finally:
        lease.give_back()


@transaction.atomic
def note_alerts(*, now: datetime.datetime) -> None:
    """Compares the open incidents with those at the last run, and stores an alert for each difference.

    If an incident begins and ends between two runs, it gets no alert. If staff ignore an incident, it is reported as
    over. If a snoozed incident changes, the alert for the change is stored when the snooze ends.
    """
    known_ones = ToldIncident.objects.filter(incident__in=Incident.objects.awake(now))
    noted = {row.incident_id: row for row in known_ones.select_related("incident")}
    standing = set(Incident.objects.unresolved().awake(now).values_list("pk", flat=True))
    number = _orders_of(standing)
    alerts: list[RobotAlert] = []
    for pk in sorted(standing):
        orders, known = number.get(pk, 0), noted.get(pk)
        if known is None:
            ToldIncident.objects.create(incident_id=pk, orders=orders)
            alerts.append(RobotAlert(incident_id=pk, event=RobotAlert.Event.OPENED, orders=orders, at=now))
        elif orders >= GROWS_BY * max(known.orders, 1):
            ToldIncident.objects.filter(pk=pk).update(orders=orders)
            alerts.append(RobotAlert(incident_id=pk, event=RobotAlert.Event.GROWN, orders=orders, at=now))
    for pk in sorted(set(noted) - standing):
        ignored = noted[pk].incident.state == Incident.State.IGNORED
        alerts.append(RobotAlert(incident_id=pk, event=RobotAlert.Event.OVER, orders=0, is_ignored=ignored, at=now))
        ToldIncident.objects.filter(pk=pk).delete()
    RobotAlert.objects.bulk_create(alerts)


def _orders_of(incidents: Iterable[int]) -> dict[int, int]:
    stopped = AffectedOrder.objects.unresolved().filter(incident__in=list(incidents), beside=False).order_by()
    return dict(stopped.values_list("incident").annotate(number=Count("pk")))


def _send_all(states: dict[Robot, RobotState], lease: Lease) -> int:
    """Sends messages in rounds until none is left. In each round every robot gets one message, in parallel. Returns the
    number of accepted messages."""
    until, sent = time.monotonic() + BEGIN_FOR, 0
    with ThreadPoolExecutor(len(states)) as threads:
        while not ending.is_set() and time.monotonic() < until and lease.acquire():
            now = timezone.now()
            turn = [(robot, *found) for robot, row in states.items() if (found := _next_message(robot, row, now))]
            for robot, _message, _newest in turn:
                _note_call(states[robot], now)
            answers = threads.map(lambda one, at=now: _call_robot(one[0], one[1], at), turn)
            for (robot, _message, newest), why in zip(turn, answers, strict=True):
                _record(robot, states[robot], newest, why, now)
                sent += not why
            if not turn:
                break
    return sent


def _state_of(robot: Robot) -> RobotState:
    """Returns a robot's row. A new robot gets alerts from now on. The very first robot also gets the open incidents,
    because they have no alerts yet."""
    return RobotState.objects.get_or_create(key=robot.key, defaults={"heard": _newest()})[0]


def _newest() -> int:
    return RobotAlert.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _next_message(robot: Robot, row: RobotState, now: datetime.datetime) -> tuple[RobotMessage, int] | None:
    """Returns the robot's next message, and the id of the last alert in that message. Returns None if no alert is
    unsent, or if the robot must wait."""
    # Ignore a time beyond the longest wait. A clock that was ahead has set it.
    if row.next_at and now < row.next_at <= now + datetime.timedelta(seconds=max(WAITS["robot"])):
        return None
    free = MOST_A_MINUTE - len(_recent_calls(row, now))
    alerts = list(RobotAlert.objects.filter(pk__gt=row.heard).select_related("incident").order_by("pk")) if free else []
    if not alerts:
        return None
    if len(alerts) > min(free, ROBOT_KINDS[robot.kind].max_separate_messages):
        return summary_message(alerts), alerts[-1].pk
    return one_message(alerts[0]), alerts[0].pk


def _recent_calls(row: RobotState, now: datetime.datetime) -> list[float]:
    """Returns the times (seconds since 1970) of the robot's calls within the last minute. Ignores times in the future,
    which remain after a clock was set back."""
    return [at for at in row.calls if now.timestamp() - MINUTE < at <= now.timestamp()]


def _note_call(row: RobotState, now: datetime.datetime) -> None:
    """Records a call before it is made, so that a kill leaves no uncounted call."""
    row.calls = [*_recent_calls(row, now), now.timestamp()]
    row.save(update_fields=["calls"])


def _call_robot(robot: Robot, message: RobotMessage, at: datetime.datetime) -> str:
    """Sends a message in a thread, without database queries. Returns an error code, or "" if the robot accepted the
    message."""
    url, facts = ROBOT_KINDS[robot.kind].request(robot, message, at)
    try:
        status, answer = request_json(url, body=body_of(facts), timeout=TIMEOUT)
    except PartnerError as error:
        return error.code
    except Exception as error:  # alerts must not stop a worker; the type alone is logged: the text may have the address
        return type(error).__name__
    if not 200 <= status < 300:
        return f"http_{status}"
    return "" if ROBOT_KINDS[robot.kind].is_accepted(answer) else "refused_by_robot"


def _record(robot: Robot, row: RobotState, newest: int, why: str, now: datetime.datetime) -> None:
    if not why:
        row.heard, row.failures, row.next_at, row.error = newest, 0, None, ""
    elif again := next_try("robot", now, row.failures):
        row.next_at, row.failures, row.error = again, row.failures + 1, why[:64]
    else:
        logger.warning("robot %s takes nothing (%s): what waited for it is given up", robot.name, why)
        row.heard = _newest()
        row.failures, row.next_at, row.error, row.given_up_at = 0, None, why[:64], now
    row.save(update_fields=["heard", "failures", "next_at", "error", "given_up_at"])


def failing_robots() -> list[dict]:
    """Returns the robots with failing calls: name, error code, number of tries, and the time at which their alerts were
    given up."""
    rows = RobotState.objects.exclude(error="").in_bulk()
    found = [(robot, rows[robot.key]) for robot in read_robots(settings.ALERT_WEBHOOKS) if robot.key in rows]
    return [
        {"robot": one.name, "error": row.error, "tries": row.failures, "given_up_at": row.given_up_at}
        for one, row in found
    ]


def forget_alerts(*, now: datetime.datetime) -> int:
    """Deletes old alerts. Returns their number."""
    return RobotAlert.objects.filter(at__lt=now - ALERTS_KEPT).delete()[0]
