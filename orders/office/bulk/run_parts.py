"""Carries out a part of a bulk run with its maker's current permissions. This happens in a worker or, for a short run,
in a request."""

import datetime
from collections.abc import Callable

from django.utils import timezone

from orders.actions.all_actions import BULK_ACTS
from orders.history.actors import account_of
from orders.office.bulk.acts import rows_for
from orders.office.bulk.bulk_runs import carry_out, claim_run, end_run, stop_run
from orders.office.bulk.models import BulkRun
from orders.office.jobs import queue_next
from orders.texts.errors import NotAllowedError

NOT_ALLOWED = "bulk_not_allowed"
PART_SECONDS = 3.0  # the longest delay of a new order's first step, while the other worker is busy


def run_part(
    pk: int,
    *,
    now: datetime.datetime,
    seconds: float = PART_SECONDS,
    stop: Callable[[], bool] = lambda: False,
    at_once: bool = False,
) -> str:
    """Carries out rows of a waiting run for at most `seconds`, then queues the next run. Returns the result as text.

    The function may safely be called twice, even while another process has the same run. Raises only bugs, and errors
    of the database. After an error the sweep queues the run again.
    """
    if stop():
        return f"bulk run {pk}: this process ends"
    run = claim_run(pk, now=now, at_once=at_once)
    if run is None:
        _queue_next(at_once)
        return f"bulk run {pk}: nothing to do"
    act, maker = BULK_ACTS[run.act], account_of(run.by, run.maker_id, run.created_at)
    if maker is None or not act.is_allowed(maker):
        end_run(run, NotAllowedError(NOT_ALLOWED))
    else:
        rows = rows_for(act, maker)

        def do(target: int) -> None:
            row = rows.filter(pk=target).first()
            if row is None:
                raise NotAllowedError("bulk_not_there")
            act.carry_out(row, run, owner=maker.pk)

        carry_out(run, do, seconds=seconds, stop=stop)
    _queue_next(at_once)
    run.refresh_from_db()
    if maker is not None and (run.state == BulkRun.State.DONE or run.error.get("code") == NOT_ALLOWED):
        act.ended(run)
    return f"bulk run {pk}: {run.done} done, {run.failed} not done of {run.total}"


def stop(*, pk: int, by: str, now: datetime.datetime) -> None:
    """Stops a run at a person's request, and notifies the people concerned of its results. Raises NotAllowedError."""
    stop_run(pk=pk, by=by, now=now)
    run = BulkRun.objects.get(pk=pk)
    BULK_ACTS[run.act].ended(run)


def _queue_next(at_once: bool) -> None:
    """Queues the next run. Also does so if this run was stopped meanwhile, since waiting runs must not depend on it."""
    if not at_once:
        queue_next(BulkRun, before=timezone.now())
