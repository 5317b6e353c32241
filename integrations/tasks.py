"""The queue's tasks. Lost, repeated and late tasks do no harm, because pending work is stored in our own tables."""

import datetime
import functools
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.db import Error
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Failure
from django_q.tasks import async_task

from integrations.base.database_deadline import Outage, is_away
from integrations.base.other_desk import why_other_desk
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.delivery.loop import drain as run_drain
from integrations.delivery.loop import has_come_due
from integrations.robots import send_alerts
from integrations.worker.broker import APART_KEY, cluster_id
from integrations.worker.heartbeat import beat
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from orders.attachments.files_hold import recheck_files
from orders.books.books import has_look_up
from orders.intake.replan_held_orders import settle_arrived
from orders.models import Reconciliation
from orders.office.bulk.run_parts import run_part
from orders.office.exports.run import run_export
from orders.outbox.enqueue import wake
from orders.search.index import index_orders
from orders.sending.trial_traffic import ask_for_usage

logger = logging.getLogger(__name__)
MINUTE, FIVE_MINUTES, HOUR, DESK_CHECKS = "minute", "five minutes", "hour", "minute, in a task of its own"
FAILURES_KEPT = datetime.timedelta(days=30)
OUTAGE = Outage(logger, "a task")
INDEX_SECONDS, INDEX_SWEEP_SECONDS = 1.0, 10.0  # for indexing after a drain, and after the sweep
OFFICE_WAITS = 300.0  # longest seconds for which due steps delay the sweep's parts for staff
PART_SECONDS = 15.0  # a stopping worker waits for its tasks, and kills those that take longer than 25 s


class Part(NamedTuple):
    """A part of the worker's periodic work. It is a row of PARTS (project/periodic.py) and is called with `now`."""

    every: str
    run: Callable
    when: Callable[[datetime.datetime], object] = lambda began: True  # its condition, evaluated once a run
    apart: bool = False  # queued as a separate task, so that nothing waits for it
    only_logged: bool = False  # its error is logged and does not fail the task
    what: str = ""  # the kind of rows that it deletes, for the task's result


def unless_away(task: Callable) -> Callable:
    """Decorates a task that is repeated anyway. If the database is unavailable, the task returns without an error, and
    the outage is logged once."""

    @functools.wraps(task)
    def run(*args, **kwargs):
        try:
            answer = task(*args, **kwargs)
        except Error as error:
            if not is_away(error):
                raise
            OUTAGE.began(error)
            return "the database is away"
        OUTAGE.over()
        return answer

    return run


@unless_away
def drain(settle: bool = False) -> str:
    """Delivers due steps. Queues itself again while steps are left or due soon. Otherwise indexes orders for the
    search.

    With `settle`, first plans held orders whose trial has arrived. If a response could not be recorded, its error is
    raised at the end, so that `watch_failed_tasks` reports the error.
    """
    if ending.is_set():
        return "this cluster ends"
    if not cluster_id() and (why := why_other_desk()):  # without a watchdog, which would not have started this cluster
        logger.error("no step is taken: %s", why)
        return why
    _beat()
    if settle:
        settle_arrived(now=timezone.now())
    report = run_drain()
    if report.again:
        wake()
    else:
        index_search(INDEX_SECONDS)
    if report.fault:
        raise report.fault
    return f"{report.tried} tried, {report.done} done"


def _beat() -> None:
    """Stores this cluster's heartbeat. If the database is unavailable, raises the error. Any other error is only
    logged, so that delivery continues."""
    try:
        beat()
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("the heartbeat was not noted")


def index_search(seconds: float, *, yields: bool = True) -> int:
    """Indexes orders for the search for about `seconds`. Returns their number, or 0 if another process indexes.

    With `yields`, stops as soon as a step becomes due. Errors are only logged, so that delivery continues.
    """
    lease, now = Lease("search"), timezone.now()
    if not lease.is_free() or not lease.acquire():
        return 0

    def may_go_on() -> bool:
        return not (ending.is_set() or (yields and has_come_due(since=now))) and lease.acquire()

    try:
        return index_orders(now=now, seconds=seconds, may_go_on=may_go_on)
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("orders can't be indexed for the search")
        return 0
    finally:
        lease.give_back()


@unless_away
def sweep() -> str:
    """Runs the parts of MINUTE, each minute. They also handle the work of lost wake-ups, schedules and workers.

    If a part failed, raises the part's error at the end, so that `watch_failed_tasks` reports the error.
    """
    _beat()  # first, so that a new process measures the database's time before it uses the time
    return _run_parts(MINUTE, of="the sweep")[deliver]


def deliver(*, now: datetime.datetime) -> str:
    return drain()


class _Office:
    put_off: float | None = None  # monotonic time since which this process has delayed the parts for staff
    late = False  # True if these parts run although steps are due


def may_office_run(began: datetime.datetime) -> bool:
    """Returns True if the parts for staff, which call no partner, may run in this sweep. While steps are due, these
    parts wait for a later sweep. They wait at most OFFICE_WAITS seconds."""
    _Office.late = _Office.put_off is not None and time.monotonic() - _Office.put_off > OFFICE_WAITS
    if not _Office.late and has_come_due(since=began):
        _Office.put_off = _Office.put_off or time.monotonic()
        return False
    _Office.put_off = None
    return True


def index_after_sweep(*, now: datetime.datetime) -> int:
    return index_search(INDEX_SWEEP_SECONDS, yields=not _Office.late)


def parts_of(every: str) -> list[Part]:
    """Returns the parts of this interval, in order.

    The table is imported by its dotted path (PERIODIC), because this module must not import a higher layer. The tasks
    can't move to that layer, because rows store their paths.
    """
    return [part for part in import_string(settings.PERIODIC) if part.every == every]


def _run_parts(every: str, *, of: str) -> dict[Callable, object]:
    """Runs the parts of an interval and returns their results. If a part fails, the other parts still run, and the
    errors of all parts are raised at the end. If the database is unavailable, the run ends at once."""
    now, answers, faults = timezone.now(), {}, []
    may_run = functools.cache(lambda when: when(now))  # each condition is evaluated once a run
    for part in parts_of(every):
        try:
            if not may_run(part.when):
                continue
            if part.apart:
                async_task(path_of(part.run), cluster=APART_KEY)
            else:
                answers[part.run] = part.run(now=now)
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("%s's %s failed", of, part.run.__name__)
            faults += [] if part.only_logged else [error]
    if faults:
        said = "; ".join(str(error).partition("\n")[0] for error in faults)
        raise ExceptionGroup(said, faults) if len(faults) > 1 else faults[0]
    return answers


def path_of(task: Callable) -> str:
    """Returns a task's dotted path, as stored in the queue's rows."""
    return f"{task.__module__}.{task.__qualname__}"


@unless_away
def ping(cluster: str) -> None:
    """Stores a heartbeat for the cluster's watchdog, which queued this task."""
    beat(cluster, often_enough=datetime.timedelta())


@unless_away
def look_at_files() -> str:
    """Runs every five minutes: checks held info-security files again (contract 3.7)."""
    return f"{len(_run_parts(FIVE_MINUTES, of='the look at files')[recheck_files])} orders looked at again"


def nightly_usage() -> str:
    """Runs each night: creates steps that query the traffic of all running trials (contract section 5)."""
    return f"{ask_for_usage(by='schedule', now=timezone.now())} trials asked for"


def reconcile(reconciliation: int | None = None, after: int = 0) -> str:
    """Runs each night: compares billing records with the big-data side's records for about PART_SECONDS. Then queues
    the next part."""
    if not has_look_up():
        return "left out: the big-data side offers no look-up"
    row = Reconciliation.objects.get(pk=reconciliation) if reconciliation else None
    run = Comparison(Scope(), by="schedule", seconds=PART_SECONDS, row=row, after=after)
    row = run.run()
    if run.after is not None:
        async_task(path_of(reconcile), row.pk, run.after)
    return f"{row.orders} orders, {row.differences} differences"


@unless_away
def tidy() -> str:
    """Runs each hour: removes dead clusters and old data."""
    removed = _run_parts(HOUR, of="tidy")
    return ", ".join(f"{removed[part.run]} {part.what}" for part in parts_of(HOUR))


def forget_failures(*, now: datetime.datetime) -> int:
    return Failure.objects.filter(stopped__lt=now - FAILURES_KEPT).delete()[0]


@unless_away
def export(pk: int) -> str:
    """Writes an export that takes too long for a request. It may take minutes. Another task delivers in the
    meantime."""
    return run_export(pk, now=timezone.now(), stop=ending.is_set)


@unless_away
def tell_robots() -> str:
    return send_alerts.note_and_send()


@unless_away
def bulk(pk: int) -> str:
    """Carries out a part of a bulk run, then queues the next part, possibly of another run."""
    return run_part(pk, now=timezone.now(), stop=ending.is_set)
