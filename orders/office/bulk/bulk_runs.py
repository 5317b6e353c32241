"""Services of bulk runs (one action on many rows). A run is drafted, confirmed, and carried out by workers in parts. It
can be stopped and continued.

A run is a job (`orders/office/jobs.py`). Runs take turns: a worker works on one run for a few seconds. A row is marked
as done in the transaction of its action. So after a kill, the next process finds each row either done or not begun. One
UPDATE of the run counts the row, renews the lease, and shows whether the run was stopped or taken over.
"""

import datetime
import logging
import time
from collections.abc import Callable, Sequence

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from orders.history.actors import account_id_of
from orders.history.order_locks_and_events import add_event, noted_in_events
from orders.models import AskedAct
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.jobs import check_quota, claim, queue, resume
from orders.outbox.leases import LeftError, give_back, own, renew
from orders.outbox.retry_schedule import WAITS
from orders.people.asked_acts import ask
from orders.restore.detect_restore import is_restored
from orders.rules.four_eyes_acts import BULK, rows_alone
from orders.rules.local_time import midnight
from orders.texts.errors import NotAllowedError, OrderError

logger = logging.getLogger(__name__)
DRAFT_KEPT = datetime.timedelta(hours=1)
ITEMS_KEPT = datetime.timedelta(days=90)  # after the end of a run
REMOVED_AT_ONCE = 5_000
REMOVE_SECONDS = 10.0
ROWS_A_PART = 100
SQLITE_PAUSE = 0.005  # seconds between rows: SQLite has no queue, so other writers would never get its lock
MAX_FAILED_PARTS = 3  # then the row at which the database fails is set aside
DATABASE_ERRORS = (OperationalError, InterfaceError)
ASKED, NOT_CONFIRMED = {"code": "bulk_asked"}, {"code": "bulk_not_confirmed"}
"""The errors of a run that waits for a second person, and of one that nobody confirmed. Both are stopped, since version
1.7 knows no other state for them."""


def begin_draft(
    *,
    by: str,
    act: str,
    targets: Sequence[int],
    query: str,
    words: Sequence[Sequence[str]],
    details: dict,
    now: datetime.datetime,
) -> BulkRun:
    """Stores a draft with all its rows, and ends the person's earlier drafts."""
    maker = account_id_of(by)
    _drafts(maker, by, now).update(finished_at=now)
    with transaction.atomic():
        row = BulkRun.objects.create(
            by=by[:160],
            maker_id=maker,
            act=act,
            query=query,
            words=list(words),
            details=details,
            total=len(targets),
            created_at=now,
            worked_at=now,
        )
        BulkItem.objects.bulk_create(BulkItem(run=row, target=target) for target in targets)
    return row


def find_draft(pk: int, *, by: str, act: str, now: datetime.datetime) -> BulkRun | None:
    """Returns the person's draft, or None if the draft is an hour old or the person has begun another draft."""
    return _drafts(account_id_of(by), by, now).filter(pk=pk, act=act).first()


def confirm_draft(
    *,
    pk: int,
    by: str,
    act: str,
    details: dict,
    reason: str,
    now: datetime.datetime,
    right: str = "",
    told: Callable[[], list[str]] = list,
) -> BulkRun:
    """Starts a draft. The caller must have shown its maker a preview and checked permissions.

    If FOUR_EYES requires a second person for this number of rows, the run is stopped until that person has confirmed
    it. `right`: the action's permission. `told`: returns the preview.

    Confirming twice returns the same run. Raises NotAllowedError if the draft is gone, the person has three unfinished
    runs, the disk is nearly full, or the database is restored.
    """
    if is_restored():
        raise NotAllowedError("bulk_restored")
    maker = account_id_of(by)
    confirmed = BulkRun.objects.filter(_made_by(maker, by), pk=pk, act=act).exclude(state=BulkRun.State.DRAFT)
    if row := confirmed.first():
        return row
    check_quota(BulkRun, maker)
    asked = {"details": details, "reason": reason.strip()}
    with transaction.atomic():
        drafts = _drafts(maker, by, now).filter(pk=pk, act=act)
        alone = _may_act_alone(drafts.first(), maker, now)
        begun = (
            {"state": BulkRun.State.WAITING}
            if alone
            else {"state": BulkRun.State.STOPPED, "error": ASKED, "finished_at": now}
        )
        if drafts.update(created_at=now, worked_at=now, **begun, **asked):
            row = BulkRun.objects.get(pk=pk)
            if not alone:
                about = {"act": BULK, "right": right, "order": None, "decision": act, "target": pk, "told": told()}
                ask(**about, by=by, reason=row.reason, now=now)
                return row
            add_event(None, "bulk_begun", by=by, now=now, run=pk, act=act, total=row.total, reason=row.reason)
            return row
    if row := confirmed.first():
        return row
    raise NotAllowedError("bulk_draft_gone")


def _may_act_alone(draft: BulkRun | None, maker_id: int | None, now: datetime.datetime) -> bool:
    """Returns True if the person's rows of today are within the limit, so that no second person is needed. Counts the
    rows of the draft, but not the rows of confirmed runs."""
    most = rows_alone()
    if most is None or draft is None or maker_id is None:
        return True
    today = BulkRun.objects.filter(maker_id=maker_id, created_at__gte=midnight(timezone.localdate(now)))
    confirmed = AskedAct.objects.filter(act=BULK, asker_id=maker_id).values("target")
    begun = (
        today.exclude(state=BulkRun.State.DRAFT).exclude(pk__in=confirmed).aggregate(Sum("total"))["total__sum"] or 0
    )
    return begun + draft.total <= most


def start_asked(*, pk: int, by: str, now: datetime.datetime) -> BulkRun:
    """Starts a run that a second person has confirmed, in the confirmation's transaction. The caller must have called
    `check_quota` before. Raises NotAllowedError."""
    if is_restored():
        raise NotAllowedError("bulk_restored")
    asked = BulkRun.objects.filter(pk=pk, state=BulkRun.State.STOPPED, error__code=ASKED["code"])
    if not asked.update(state=BulkRun.State.WAITING, error={}, finished_at=None, worked_at=now):
        raise NotAllowedError("bulk_over")
    row = BulkRun.objects.get(pk=pk)
    add_event(None, "bulk_begun", by=by, now=now, run=pk, act=row.act, total=row.total, reason=row.reason)
    return row


def end_asked(row: AskedAct, now: datetime.datetime) -> None:
    """Marks a run as not confirmed, so that it never begins."""
    asked = BulkRun.objects.filter(pk=row.target, state=BulkRun.State.STOPPED, error__code=ASKED["code"])
    asked.update(error=NOT_CONFIRMED, finished_at=now)


def is_asked_for(row: BulkRun) -> bool:
    """Returns True if the run waits for a second person."""
    return row.state == BulkRun.State.STOPPED and row.error.get("code") == ASKED["code"]


def may_go_on(row: BulkRun) -> bool:
    """Returns True if a stopped run can be continued. A run that nobody has confirmed can't be continued."""
    begun = row.error.get("code") not in {ASKED["code"], NOT_CONFIRMED["code"]}
    return row.state == BulkRun.State.STOPPED and row.items_kept and row.total > 0 and begun


def _made_by(maker_id: int | None, by: str) -> Q:
    return Q(by=by[:160]) if maker_id is None else Q(maker_id=maker_id)


def _drafts(maker_id: int | None, by: str, now: datetime.datetime) -> QuerySet[BulkRun]:
    """Returns the person's drafts that can be confirmed."""
    drafts = BulkRun.objects.filter(state=BulkRun.State.DRAFT, finished_at=None, created_at__gt=now - DRAFT_KEPT)
    return drafts.filter(_made_by(maker_id, by))


def claim_run(pk: int, *, now: datetime.datetime, at_once: bool = False) -> BulkRun | None:
    """Claims a waiting run. Returns None if the run is not waiting or was tried too often, or if the database is
    restored. Also returns None if another run is in progress, except with `at_once`."""
    if _stop_where_restored(now):
        return None

    def give_up(row: BulkRun) -> None:
        end_run(row, NotAllowedError("bulk_given_up", times=row.attempts))

    return claim(BulkRun, pk, now=now, give_up=give_up, turn=F("turn") + 1, at_once=at_once, worked_at=now)


def carry_out(
    row: BulkRun, act: Callable[[int], None], *, seconds: float, stop: Callable[[], bool] = lambda: False
) -> None:
    """Carries out as many rows of a claimed run as fit into `seconds`. Then the run goes back to the queue or ends.

    `act` gets the id of a row and calls a service. If it raises an OrderError or has a bug, the row is marked as
    failed. If the database keeps failing, the run goes back to the queue. If this fails too, the error is raised.
    """
    until = time.monotonic() + seconds
    try:
        with noted_in_events(run=row.pk):
            while targets := list(_waiting(row).order_by("target").values_list("target", flat=True)[:ROWS_A_PART]):
                for target in targets:
                    if time.monotonic() > until or stop():
                        # The next row was not tried, so this claim does not count as an attempt for it.
                        give_back(row, worked_at=timezone.now(), attempts=F("attempts") - 1)
                        return
                    if not _carry_out_patiently(row, act, target, until):
                        give_back(row, worked_at=timezone.now())
                        return
                    if connection.vendor == "sqlite":
                        time.sleep(SQLITE_PAUSE)
        end_run(row)
    except LeftError:
        return


def _carry_out_patiently(row: BulkRun, act: Callable[[int], None], target: int, until: float) -> bool:
    """Carries out one row, with retries on database errors. Returns False if the row must be tried again in a later
    turn."""
    for delay in (*WAITS["row_of_bulk_run"], None):
        try:
            _carry_out_one(row, act, target)
        except DATABASE_ERRORS as error:
            logger.warning("bulk run %s: the database failed at row %s: %s", row.pk, target, error)
            if delay is None or time.monotonic() > until:
                break
            time.sleep(delay)
        else:
            return True
    if row.attempts < MAX_FAILED_PARTS:
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
        renew(row, attempts=1, **counted)
        outcome = BulkItem.State.FAILED if why else BulkItem.State.DONE
        if not _waiting(row).filter(target=target).update(state=outcome, why=why):
            raise LeftError
    row.attempts = 1  # attempts of the next row are counted anew


def _refusal(row: BulkRun, act: Callable[[int], None], target: int) -> dict:
    """Carries out the action on one row. Returns {} if the action succeeded, otherwise the refusal's code and
    parameters."""
    try:
        with transaction.atomic():
            act(target)
    except OrderError as error:
        return {name: _plain(value) for name, value in error.params.items()} | {"code": error.code}
    except DATABASE_ERRORS:
        raise  # not caused by the row
    except Exception:  # a bug at one row must not stop the others
        logger.exception("bulk run %s: row %s", row.pk, target)
        return {"code": "bulk_broken"}
    return {}


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def end_run(row: BulkRun, error: OrderError | None = None) -> None:
    """Ends a run that this process has claimed: as done, or as stopped by `error`."""
    now, state = timezone.now(), BulkRun.State.STOPPED if error else BulkRun.State.DONE
    why = {"code": error.code, **error.params} if error else {}
    with transaction.atomic():
        if not own(row).update(state=state, error=why, finished_at=now, leased_until=None):
            return
        row.refresh_from_db()
        kind = "bulk_stopped" if error else "bulk_done"
        add_event(None, kind, by="worker", now=now, run=row.pk, act=row.act, done=row.done, failed=row.failed, **why)


def stop_run(*, pk: int, by: str, now: datetime.datetime) -> None:
    """Stops a run at a person's request. Finished rows stay done. Raises NotAllowedError if the run has ended."""
    with transaction.atomic():
        over = {
            "state": BulkRun.State.STOPPED,
            "error": {"code": "bulk_stopped"},
            "finished_at": now,
            "leased_until": None,
        }
        if not BulkRun.objects.filter(pk=pk, state__in=BulkRun.UNFINISHED).update(**over):
            raise NotAllowedError("bulk_over")
        add_event(None, "bulk_stopped", by=by, now=now, run=pk)


def go_on(*, pk: int, by: str, now: datetime.datetime) -> None:
    """Continues a stopped run at a person's request. Raises NotAllowedError if the run is not stopped, its rows were
    removed, its maker has three unfinished runs, the disk is nearly full, or the database is restored."""
    if is_restored():
        raise NotAllowedError("bulk_restored")
    check_quota(BulkRun, BulkRun.objects.filter(pk=pk).values_list("maker_id", flat=True).first())
    again = {"state": BulkRun.State.WAITING, "error": {}, "finished_at": None, "attempts": 0, "worked_at": now}
    with transaction.atomic():
        noted = BulkRun.objects.select_for_update(no_key=True).filter(pk=pk).first()
        if noted is None or not may_go_on(noted) or not own(noted).update(**again):
            raise NotAllowedError("bulk_not_stopped")
        add_event(None, "bulk_went_on", by=by, now=now, run=pk)
        queue(BulkRun.objects.get(pk=pk))


def resume_runs(*, now: datetime.datetime) -> None:
    """If no run is in progress, queues the run that has waited longest. The sweep calls this function each minute."""
    if not _stop_where_restored(now):
        resume(BulkRun, now=now)


def stop_runs(*, by: str, now: datetime.datetime) -> None:
    """Stops all runs of a restored database, since it does not know which rows were done after the backup."""
    with transaction.atomic():
        unfinished = BulkRun.objects.filter(state__in=BulkRun.UNFINISHED)
        for pk in unfinished.order_by("pk").values_list("pk", flat=True):
            over = {"state": BulkRun.State.STOPPED, "error": {"code": "bulk_restored"}, "finished_at": now}
            unfinished.filter(pk=pk).update(leased_until=None, **over)
            add_event(None, "bulk_stopped", by=by, now=now, run=pk)


def remove_old_items(*, now: datetime.datetime) -> int:
    """Deletes rows of old runs, and expired drafts, for at most REMOVE_SECONDS. Returns the number of deleted rows. The
    runs are kept."""
    until, removed = time.monotonic() + REMOVE_SECONDS, 0
    old = BulkRun.objects.filter(finished_at__lt=now - ITEMS_KEPT, items_kept=True)
    old.update(items_kept=False)  # so that no such run is continued
    drafts = Q(state=BulkRun.State.DRAFT) & (Q(finished_at__isnull=False) | Q(created_at__lt=now - DRAFT_KEPT))
    left = BulkRun.objects.filter(drafts | Q(Exists(BulkItem.objects.filter(run=OuterRef("pk"))), items_kept=False))
    for row in left.order_by("pk")[:ROWS_A_PART]:
        items = row.items.order_by("target").values_list("pk", flat=True)
        while some := list(items[:REMOVED_AT_ONCE]):
            removed += BulkItem.objects.filter(pk__in=some).delete()[0]
            if time.monotonic() > until:
                return removed
        if row.state == BulkRun.State.DRAFT:
            row.delete()
    return removed


def _waiting(row: BulkRun) -> QuerySet[BulkItem]:
    return BulkItem.objects.filter(run=row.pk, state=BulkItem.State.WAITING)


def _stop_where_restored(now: datetime.datetime) -> bool:
    restored = is_restored()
    if restored:
        stop_runs(by="system", now=now)
    return restored
