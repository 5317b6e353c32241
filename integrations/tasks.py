"""The queue's tasks. A task may be lost, run twice or run late, since our own tables store what is to be done."""

import datetime
import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from django.conf import settings
from django.db import Error
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Failure
from django_q.tasks import async_task

from integrations.base.database_deadline import Outage, is_away
from integrations.base.other_desk import watch_other_desks, why_other_desk
from integrations.bboss.clocks import watch_clocks
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.bpm.kept import apply_kept
from integrations.delivery.loop import drain as run_drain
from integrations.delivery.loop import has_come_due
from integrations.robots import tell
from integrations.worker.broker import cluster_id
from integrations.worker.far_moments import put_right
from integrations.worker.heartbeat import beat, forget_dead
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from orders.attachments.files import recheck_files, watch_unchecked
from orders.attachments.upload import remove_parts
from orders.books.books import has_look_up
from orders.incidents.desk_incidents import watch_failed_tasks, watch_free_space, watch_refused_calls
from orders.incidents.sleeping import wake_slept
from orders.intake.holds import settle_arrived
from orders.mails.mails import tell_missed
from orders.mails.notices import remove_old_notices
from orders.models import Reconciliation
from orders.office.asked_ends import lapse_asked
from orders.office.bulk.parts import run_part
from orders.office.bulk.service import remove_old_items, resume_runs
from orders.office.digest.service import remove_old_digests, write_digests, write_red
from orders.office.exports.run import run_export
from orders.office.exports.schedules import begin_due_exports
from orders.office.exports.service import remove_old_files, resume_exports
from orders.office.trials.uploads import forget_uploads
from orders.outbox.enqueue import wake
from orders.outbox.release import release
from orders.people.ownership import let_go_owners
from orders.reconciliation.number_list import close_known
from orders.search.index import index_orders
from orders.sending.moves_over import end_moves
from orders.sending.pausing import end_pauses, remind_of_pauses
from orders.sending.usage import ask_for_usage
from orders.start_day.start_day import activate
from orders.undoing.start import close_abandoned
from orders.undoing.trials import end_trials

logger = logging.getLogger(__name__)
FAILURES_KEPT = datetime.timedelta(days=30)
OUTAGE = Outage(logger, "a task")
INDEX_SECONDS, INDEX_SWEEP_SECONDS = 1.0, 10.0  # for indexing after a drain, and after the sweep
OFFICE_WAITS = 300.0
PART_SECONDS = 15.0  # a stopping worker waits for its tasks, but kills those that take longer than 25 s


def unless_away(task: Callable) -> Callable:
    """For tasks that run again anyway: if the database is away, they log one line and do not fail."""

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
    """Delivers due steps. Queues itself again while steps are left or soon due.

    If an answer could not be stored, it raises at the end, so that `watch_failed_tasks` sees it.
    """
    if ending.is_set():
        return "this cluster ends"
    if not cluster_id() and (why := why_other_desk()):  # under a watchdog there would be no cluster
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
    """Stores this cluster's heartbeat. If that fails although the database answers, delivery continues."""
    try:
        beat()
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("the heartbeat was not noted")


def index_search(seconds: float, *, yields: bool = True) -> int:
    """Indexes orders for the search, unless another process does. If it fails, delivery continues. `yields`: it ends
    as soon as a step comes due."""
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
    """Runs each minute: finds what a lost wake-up, schedule or worker left behind, then delivers.

    If a part failed, it raises at the end, so that `watch_failed_tasks` sees it.
    """
    _beat()  # so that the database's time is known before it is read, even in a process that has just begun
    now = timezone.now()
    parts = (
        put_right,
        end_pauses,
        settle_arrived,
        apply_kept,
        close_known,
        end_moves,
        start_due,
        end_trials,
        lapse_asked,
        close_abandoned,
        release,
        tell_missed,
        remind_of_pauses,
        wake_slept,
        watch_free_space,
        watch_refused_calls,
        watch_failed_tasks,
        watch_unchecked,
        watch_clocks,
        watch_other_desks,
        tell.wake_robots,
        *map(import_string, settings.EVERY_MINUTE),
    )
    answers = _run_each(chain(parts, [_deliver], _office_parts(now)), now=now, of="the sweep")
    return answers[len(parts)]


def _deliver(*, now: datetime.datetime) -> str:
    return drain()


class _Office:
    put_off: float | None = None  # since when this process has left its parts to a later sweep, by time.monotonic


def _office_parts(began: datetime.datetime) -> Iterator[Callable]:
    """The parts of a sweep that people wait for, and no partner. While steps are due they are left to a later sweep,
    for OFFICE_WAITS at most."""
    late = _Office.put_off is not None and time.monotonic() - _Office.put_off > OFFICE_WAITS
    if not late and has_come_due(since=began):
        _Office.put_off = _Office.put_off or time.monotonic()
        return
    _Office.put_off = None
    yield from (begin_due_exports, resume_exports, resume_runs, write_digests, write_red, let_go_owners)

    def index(*, now: datetime.datetime) -> int:
        return index_search(INDEX_SWEEP_SECONDS, yields=not late)

    yield index


def _run_each(parts: Iterable[Callable], *, now: datetime.datetime, of: str) -> list:
    """What each part of a task answers. A part that fails must not stop the others: their errors are raised at the end,
    all of them.
    """
    answers, faults = [], []
    for part in parts:
        try:
            answers.append(part(now=now))
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("%s's %s failed", of, part.__name__)
            faults.append(error)
    if len(faults) > 1:
        raise ExceptionGroup("; ".join(str(error).partition("\n")[0] for error in faults), faults)
    if faults:
        raise faults[0]
    return answers


def start_due(*, now: datetime.datetime) -> list[str]:
    return activate(numbers=None, by="sweep", now=now)


@unless_away
def ping(cluster: str) -> None:
    """Answers the watchdog of the cluster that runs this task."""
    beat(cluster, often_enough=datetime.timedelta())


@unless_away
def look_at_files() -> str:
    """Runs every five minutes: first EVERY_FIVE_MINUTES, then checks held info-security files again (contract 3.7)."""
    for part in map(import_string, settings.EVERY_FIVE_MINUTES):
        try:
            part(now=timezone.now())
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("%s failed", part.__name__)
    return f"{len(recheck_files(numbers=None, now=timezone.now()))} orders looked at again"


def nightly_usage() -> str:
    """Runs each night: asks the big-data side for the traffic of all running trials (contract section 5)."""
    return f"{ask_for_usage(by='schedule', now=timezone.now())} trials asked for"


def reconcile(reconciliation: int | None = None, after: int = 0) -> str:
    """Runs each night: compares a part of all billing records with the big-data side's, and queues the next part."""
    if not has_look_up():
        return "left out: the big-data side offers no look-up"
    row = Reconciliation.objects.get(pk=reconciliation) if reconciliation else None
    run = Comparison(Scope(), by="schedule", seconds=PART_SECONDS, row=row, after=after)
    row = run.run()
    if run.after is not None:
        async_task("integrations.tasks.reconcile", row.pk, run.after)
    return f"{row.orders} orders, {row.differences} differences"


@unless_away
def tidy() -> str:
    """Runs each hour. Removes dead clusters and old data: failures of tasks, open imports, parts of uploads, exports,
    rows of bulk runs, notices, digests, alerts for robots."""
    removed = {
        "dead clusters": forget_dead,
        "old failures": _forget_failures,
        "workbooks": forget_uploads,
        "parts of uploads": remove_parts,
        "old exports": remove_old_files,
        "rows of bulk runs": remove_old_items,
        "notices": remove_old_notices,
        "digests": remove_old_digests,
        "alerts": tell.forget_alerts,
    }
    numbers = _run_each(removed.values(), now=timezone.now(), of="tidy")
    return ", ".join(f"{number} {what}" for number, what in zip(numbers, removed, strict=True))


def _forget_failures(*, now: datetime.datetime) -> int:
    return Failure.objects.filter(stopped__lt=now - FAILURES_KEPT).delete()[0]


@unless_away
def export(pk: int) -> str:
    """Writes an export that is too long for a request. It may take minutes; another task delivers meanwhile."""
    return run_export(pk, now=timezone.now(), stop=ending.is_set)


@unless_away
def tell_robots() -> str:
    return tell.run()


@unless_away
def bulk(pk: int) -> str:
    """Carries out a part of a bulk run, then queues the next part, which may be of another run."""
    return run_part(pk, now=timezone.now(), stop=ending.is_set)


def note_bulk_rows(pk: int) -> str:
    """Queued by version 1.11 for drafts of more than 2,000 rows, which it noted in parts. They end after their hour."""
    return f"bulk run {pk}: nothing to note"
