"""The life of an act on many rows: noted row by row, carried out by workers in parts, stopped and gone on with.

A worker has to stay free for deliveries, so that a part takes seconds, and one run is carried out in the background at
a time; a constraint in the database says so. Runs take turns. A row is marked in the transaction of the act itself:
whoever goes on after a kill finds it done or not begun, never both. The same UPDATE counts it, renews the lease, and
notices that the run was stopped or that another process has taken it up.
"""

import datetime
import logging
import time
import uuid
from collections.abc import Callable, Sequence

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from orders.errors import NotAllowedError, OrderError
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.exports.service import LeftError
from orders.people import account_id_of
from orders.restored_guard import is_restored
from orders.services.order_state import add_event, noted_in_events

logger = logging.getLogger(__name__)
State, ItemState = BulkRun.State, BulkItem.State
OPEN = [State.WAITING, State.RUNNING]
LEASE = datetime.timedelta(seconds=60)
LOST = datetime.timedelta(minutes=1)  # a run for which no worker has done anything by then is queued again
QUIET = datetime.timedelta(seconds=10)  # a chunk of rows takes a second; by then the form's next use takes over
COLLECTED = datetime.timedelta(minutes=5)  # by then a run whose rows nobody notes any more is stopped
KEPT = datetime.timedelta(days=90)  # how long the rows of a run stay after its end
NOTED_AT_ONCE = 50_000  # rows in a transaction: a fifth of a second for which SQLite's other writers wait
REMOVED_AT_ONCE = 5_000
REMOVE_SECONDS = 10.0
BATCH = 100
BREATH = 0.005  # seconds after each row: SQLite has no queue, and who locks again at once starves all other writers
MOST_ATTEMPTS = 10
PAUSES = (0.1, 0.5)  # seconds, after which a row is tried again where the database failed: a deadlock, a lock
MOST_FAULTS = 3  # parts in which it failed at the same row
PASSES = (OperationalError, InterfaceError)
TASK = "integrations.tasks.bulk"  # a dotted path, since the core must not import integrations
INSERT = {
    "postgresql": "INSERT INTO orders_bulkitem (run_id, target, state, why)"
    " SELECT %s, one, 'waiting', '{}' FROM unnest(%s::bigint[]) AS one",
    "sqlite": "INSERT INTO orders_bulkitem (run_id, target, state, why)"
    " SELECT %s, value, 'waiting', '{}' FROM json_each(%s)",
}


def begin_run(
    *, by: str, act: str, targets: Sequence[int], query: str, words: Sequence[Sequence[str]], details: dict,
    reason: str, token: uuid.UUID, now: datetime.datetime,
) -> BulkRun:  # fmt: skip
    """Notes an act on the rows with these ids. The caller has judged whether the person may, and asked for a reason.

    The same token again gives the run that has it, or notes its rows anew if that broke off. Raises NotAllowedError in
    a restored database.
    """
    if is_restored():
        raise NotAllowedError("bulk_restored")
    asked = {"act": act, "query": query, "words": list(words), "details": details, "reason": reason.strip()}
    try:
        with transaction.atomic():
            row = BulkRun.objects.create(
                by=by[:160], maker_id=account_id_of(by), token=token, created_at=now, worked_at=now, **asked
            )  # fmt: skip
    except IntegrityError:
        row = BulkRun.objects.get(by=by[:160], token=token)
        if not _take_over(row, asked, now):
            return row
    try:
        _note_items(row, targets)
        with transaction.atomic():
            _renew(row, state=State.WAITING, total=len(targets))
            add_event(None, "bulk_begun", by=by, now=now, run=row.pk, act=act, total=len(targets), reason=row.reason)
    except LeftError:
        logger.warning("bulk run %s: it was stopped or taken over while its rows were noted", row.pk)
    row.refresh_from_db()
    return row


def find_run(*, by: str, token: uuid.UUID, now: datetime.datetime) -> BulkRun | None:
    """The run that this form has begun, unless whoever noted its rows has gone: then the form begins it again."""
    row = BulkRun.objects.filter(by=by[:160], token=token).first()
    return None if row and row.state == State.COLLECTING and row.worked_at < now - QUIET else row


def _take_over(row: BulkRun, asked: dict, now: datetime.datetime) -> bool:
    """Takes over a run whose rows nobody notes any more, and removes those that were noted. False if somebody does."""
    quiet = _own(row).filter(state=State.COLLECTING, worked_at__lt=now - QUIET)
    if not quiet.update(turn=F("turn") + 1, worked_at=now, **asked):
        return False
    row.refresh_from_db()
    while some := list(row.items.order_by("target").values_list("pk", flat=True)[:REMOVED_AT_ONCE]):
        with transaction.atomic():
            _renew(row)
            BulkItem.objects.filter(pk__in=some).delete()
    return True


def _note_items(row: BulkRun, targets: Sequence[int]) -> None:
    """Inserts the rows of a run, many in one statement. Raises LeftError if it was taken over or stopped."""
    for start in range(0, len(targets), NOTED_AT_ONCE):
        some = list(targets[start : start + NOTED_AT_ONCE])
        given = some if connection.vendor == "postgresql" else str(some)
        with transaction.atomic(), connection.cursor() as cursor:
            _renew(row)
            cursor.execute(INSERT[connection.vendor], [row.pk, given])


def _renew(row: BulkRun, **more: object) -> None:
    """Says that the rows of a run are still being noted. The UPDATE keeps others from taking it over until the end."""
    if not _own(row).update(worked_at=timezone.now(), **more):
        raise LeftError


def queue_run(row: BulkRun) -> None:
    """Hands a run to the workers."""
    async_task(TASK, row.pk)


def claim_run(pk: int, *, now: datetime.datetime, at_once: bool = False) -> BulkRun | None:
    """Takes up a waiting run. None if it is over, if another one is carried out, or in a restored database.

    `at_once`: in the request of whoever asked, beside a run in the background.
    """
    if _stop_where_restored(now):
        return None
    _release_dead(now)
    row = BulkRun.objects.filter(pk=pk, state=State.WAITING).first()
    if row is None:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        end_run(row, NotAllowedError("bulk_given_up", times=row.attempts))
        return None
    try:
        with transaction.atomic():
            taken = _own(row).update(
                state=State.RUNNING, turn=F("turn") + 1, attempts=F("attempts") + 1, at_once=at_once, worked_at=now,
                leased_until=now + LEASE,
            )  # fmt: skip
    except IntegrityError:
        return None
    return BulkRun.objects.get(pk=pk) if taken else None


def carry_out(
    row: BulkRun, act: Callable[[int], None], *, seconds: float, stop: Callable[[], bool] = lambda: False
) -> None:
    """Acts on as many rows of a claimed run as fit into this time. Then it waits for its next turn, or is over.

    `act` gets the id of a row and calls a service. An OrderError of it, or a fault of ours, is the outcome of that row.
    Where the database fails again and again, the run waits for its next turn; raises if the database is away for that.
    """
    until = time.monotonic() + seconds
    try:
        with noted_in_events(run=row.pk):
            while targets := list(_waiting(row).order_by("target").values_list("target", flat=True)[:BATCH]):
                for target in targets:
                    if time.monotonic() > until or stop():
                        _wait_again(row, attempts=F("attempts") - 1)  # this process has not come to the next row
                        return
                    if not _carry_out_patiently(row, act, target, until):
                        _wait_again(row)
                        return
                    if connection.vendor == "sqlite":
                        time.sleep(BREATH)
        end_run(row)
    except LeftError:
        return


def _wait_again(row: BulkRun, **more: object) -> None:
    _own(row).update(state=State.WAITING, leased_until=None, worked_at=timezone.now(), **more)


def _carry_out_patiently(row: BulkRun, act: Callable[[int], None], target: int, until: float) -> bool:
    """Carries a row out, again where the database failed. False: it failed each time, and is tried in the next part.

    A row at which it failed in several parts is set aside, so that it does not keep all others waiting.
    """
    for pause in (*PAUSES, None):
        try:
            _carry_out_one(row, act, target)
        except PASSES as error:
            logger.warning("bulk run %s: the database failed at row %s: %s", row.pk, target, error)
            if pause is None or time.monotonic() > until:
                break
            time.sleep(pause)
        else:
            return True
    if row.attempts < MOST_FAULTS:
        return False
    logger.error("bulk run %s: row %s is set aside, since the database failed at it in each part", row.pk, target)
    _carry_out_one(row, _set_aside, target)
    return True


def _set_aside(target: int) -> None:
    raise NotAllowedError("bulk_broken")


def _carry_out_one(row: BulkRun, act: Callable[[int], None], target: int) -> None:
    with transaction.atomic():
        why = _refusal(row, act, target)
        counted = {"failed": F("failed") + 1} if why else {"done": F("done") + 1}
        if not _own(row).update(leased_until=timezone.now() + LEASE, attempts=1, **counted):
            raise LeftError
        outcome = ItemState.FAILED if why else ItemState.DONE
        if not _waiting(row).filter(target=target).update(state=outcome, why=why):
            raise LeftError
    row.attempts = 1  # this process has come to the next row


def _refusal(row: BulkRun, act: Callable[[int], None], target: int) -> dict:
    """Acts on a row. Gives why that was refused, as a code with its parameters; empty if it was not."""
    try:
        with transaction.atomic():
            act(target)
    except OrderError as error:
        return {name: _plain(value) for name, value in error.params.items()} | {"code": error.code}
    except PASSES:
        raise  # says nothing about the row
    except Exception:  # one row that fails here must not keep all others waiting
        logger.exception("bulk run %s: row %s", row.pk, target)
        return {"code": "bulk_broken"}
    return {}


def _plain(value: object) -> object:
    """A parameter as JSON can hold it."""
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def end_run(row: BulkRun, error: OrderError | None = None) -> None:
    """Ends a run that this process has taken up: finished, or stopped with the reason."""
    now, state = timezone.now(), State.STOPPED if error else State.DONE
    why = {"code": error.code, **error.params} if error else {}
    with transaction.atomic():
        if not _own(row).update(state=state, error=why, finished_at=now, leased_until=None):
            return
        row.refresh_from_db()
        kind = "bulk_stopped" if error else "bulk_done"
        add_event(None, kind, by="worker", now=now, run=row.pk, act=row.act, done=row.done, failed=row.failed, **why)


def stop_run(*, pk: int, by: str, now: datetime.datetime) -> None:
    """A person stops a run. What is done stays done. Raises NotAllowedError if it is over or stopped."""
    with transaction.atomic():
        over = {"state": State.STOPPED, "error": {"code": "bulk_stopped"}, "finished_at": now, "leased_until": None}
        if not BulkRun.objects.filter(pk=pk, state__in=OPEN).update(**over):
            raise NotAllowedError("bulk_over")
        add_event(None, "bulk_stopped", by=by, now=now, run=pk)


def go_on(*, pk: int, by: str, now: datetime.datetime) -> None:
    """A person lets a stopped run go on with what is still to do.

    Raises NotAllowedError: it does not stand still, its rows are gone or incomplete, or the database is restored.
    """
    if is_restored():
        raise NotAllowedError("bulk_restored")
    again = {"state": State.WAITING, "error": {}, "finished_at": None, "attempts": 0, "worked_at": now}
    with transaction.atomic():
        noted = BulkRun.objects.filter(pk=pk, state=State.STOPPED, items_kept=True, total__gt=0)
        if not noted.update(**again):
            raise NotAllowedError("bulk_not_stopped")
        add_event(None, "bulk_went_on", by=by, now=now, run=pk)
        queue_run(BulkRun.objects.get(pk=pk))


def resume_runs(*, now: datetime.datetime) -> None:
    """Queues the run that has waited longest, where no worker carries one out. The sweep calls it each minute."""
    if _stop_where_restored(now):
        return
    for row in BulkRun.objects.filter(state=State.COLLECTING, worked_at__lt=now - COLLECTED):
        end_run(row, NotAllowedError("bulk_not_noted"))
    _release_dead(now)
    queue_next(before=now - LOST)


def queue_next(*, before: datetime.datetime) -> None:
    """Queues the run whose last turn is the longest ago, if that was not after this moment and none is carried out."""
    if BulkRun.objects.filter(state=State.RUNNING, at_once=False).exists():
        return
    if row := BulkRun.objects.filter(state=State.WAITING, worked_at__lte=before).order_by("worked_at", "pk").first():
        queue_run(row)


def stop_runs(sender: object = None, *, by: str, now: datetime.datetime, **named: object) -> None:
    """Stops all runs of a restored database: what they had done since the copy was made is not known there."""
    with transaction.atomic():
        unfinished = BulkRun.objects.filter(state__in=[State.COLLECTING, *OPEN])
        for pk in unfinished.order_by("pk").values_list("pk", flat=True):
            over = {"state": State.STOPPED, "error": {"code": "bulk_restored"}, "finished_at": now}
            unfinished.filter(pk=pk).update(leased_until=None, **over)
            add_event(None, "bulk_stopped", by=by, now=now, run=pk)


def remove_old_items(*, now: datetime.datetime) -> int:
    """Removes rows of runs that ended long ago, and of those that were never noted whole. Returns how many rows.

    A call takes seconds, and the next one goes on. The runs themselves stay.
    """
    until, removed = time.monotonic() + REMOVE_SECONDS, 0
    over = Q(finished_at__lt=now - KEPT) | Q(state=State.STOPPED, total=0)
    BulkRun.objects.filter(over, items_kept=True).update(items_kept=False)  # first, so that none of them goes on
    left = BulkRun.objects.filter(Exists(BulkItem.objects.filter(run=OuterRef("pk"))), items_kept=False)
    for pk in left.order_by("pk").values_list("pk", flat=True)[:BATCH]:
        items = BulkItem.objects.filter(run=pk).order_by("target").values_list("pk", flat=True)
        while some := list(items[:REMOVED_AT_ONCE]):
            removed += BulkItem.objects.filter(pk__in=some).delete()[0]
            if time.monotonic() > until:
                return removed
    return removed


def _waiting(row: BulkRun) -> QuerySet[BulkItem]:
    return BulkItem.objects.filter(run=row.pk, state=ItemState.WAITING)


def _own(row: BulkRun) -> QuerySet[BulkRun]:
    """The row, if nobody has gone on with it meanwhile."""
    return BulkRun.objects.filter(pk=row.pk, state=row.state, turn=row.turn)


def _release_dead(now: datetime.datetime) -> None:
    """Lets runs wait again whose processes did not renew their leases."""
    dead = BulkRun.objects.filter(state=State.RUNNING, leased_until__lt=now)
    dead.update(state=State.WAITING, leased_until=None)


def _stop_where_restored(now: datetime.datetime) -> bool:
    """Whether the database counts as restored. Then no run goes on by itself."""
    restored = is_restored()
    if restored:
        stop_runs(by="system", now=now)
    return restored
