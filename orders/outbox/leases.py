"""Leases: the right of a process to work on a row for a limited time, and recovery if it dies (contract 3.9).

Steps and mails are claimed in batches, under their locks. Each row gets a token, and its lease ends at `next_try_at`. A
job (orders/office/jobs.py) is claimed alone: one UPDATE increments the job's `FENCE`, and its process renews the lease.
Once a lease has run out, other processes may take the row. The former holder then finds another token or fence, and
changes nothing.
"""

import datetime
import uuid
from collections.abc import Callable, Collection, Mapping
from itertools import accumulate

from django.db import IntegrityError, transaction
from django.db.models import Expression, F, Model, Q, QuerySet
from django.utils import timezone

from notifications.models import Mail
from orders.models import Attempt, Dispatch
from orders.outbox.outcome import WORKER_DIED, Outcome
from orders.outbox.proven_calls import is_never_repeated

RECORDS_A_CLAIM = 20_000  # contract 3.9, Leases; more would fill the memory and make a claim slow
LOSSES_ALLOWED = 5  # consecutive losses after the first, which another row may have caused
TAKEN = ["state", "lease_token", "next_try_at", "attempts"]  # what `take` sets

# Due rows by their number of losses. A lease that ran out is a loss. Mails have the same state values as steps.
NEVER_LOST = Q(lost=0) & ~Q(state=Dispatch.State.SENDING)
USED_UP = Q(state=Dispatch.State.SENDING, lost__gte=LOSSES_ALLOWED)
AFTER_WORKER_LOSS = ~NEVER_LOST & ~USED_UP

JOB_LEASE = datetime.timedelta(seconds=60)
WAITING, RUNNING = "waiting", "running"  # states of a job


# --- steps and mails


def lost_rows(due: QuerySet, *, step: str, attempt: Expression) -> QuerySet:
    """Returns the due rows with a dead worker, for `fail_lost`. `step` is the field with the row's step or kind.
    `attempt` is the id of the row's open attempt."""
    rows = due.filter(~NEVER_LOST).order_by("-lost", "next_try_at")
    return rows.values_list("pk", attempt, "lease_token", "state", "lost", step)[:100]


def fail_lost(
    rows: Collection[tuple], record: Callable[..., object], *, now: datetime.datetime, mail: bool = False
) -> bool:
    """Fails each of the `lost_rows` if it has lost too many workers, or if its call is never repeated. Returns True if
    other rows remain. Must be called outside a transaction."""
    failed = [
        Outcome(
            dispatch_id=pk,
            attempt_id=attempt,
            token=token,
            result=Attempt.Outcome.LOST,
            code="lost",
            message=WORKER_DIED,
            params={"code": "worker_died"},
            unknown=True,
            mail=mail,
        )
        for pk, attempt, token, state, lost, step in rows
        if state == Dispatch.State.SENDING and (lost >= LOSSES_ALLOWED or is_never_repeated(step))
    ]
    if failed:
        record(failed, now=now)
    return len(failed) < len(rows)


def first_due(find: Callable[[bool], list[int]], *, lost: bool, lost_first: bool) -> list[int]:
    """Returns the ids of due rows. `find(after_worker_loss)` returns rows that lost no worker, or one row that lost a
    worker. The second kind is tried only if `lost`: before the first kind with `lost_first`, otherwise only if the
    first finds nothing."""
    ways = [False] if not lost else [True, False] if lost_first else [False, True]
    return next(filter(None, map(find, ways)), [])


def within_bounds(sized: list[tuple]) -> list:
    """Returns the first rows, up to a total size of RECORDS_A_CLAIM, but at least one row. `sized`: rows with their
    sizes."""
    fitting = [total for total in accumulate([size for _, size in sized]) if total <= RECORDS_A_CLAIM]
    return [row for row, _ in sized[: max(len(fitting), 1)]]


def take(rows: Collection[Dispatch | Mail], *, until: datetime.datetime) -> list[Dispatch | Mail]:
    """Leases rows to one worker without saving them. Returns the rows that a dead worker had leased before, after
    incrementing their `lost`."""
    token, died = uuid.uuid4(), [row for row in rows if row.state == row.State.SENDING]
    for row in died:
        row.lost += 1
    for row in rows:
        row.state, row.lease_token, row.next_try_at, row.attempts = row.State.SENDING, token, until, row.attempts + 1
    return died


def still_held(rows: Mapping[int, Dispatch | Mail], outcomes: Mapping[int, Outcome]) -> dict:
    """Returns the (locked) rows that are still leased with the token of their outcome. Nobody else has claimed or
    settled them."""
    return {
        pk: rows[pk]
        for pk, outcome in outcomes.items()
        if pk in rows and rows[pk].lease_token == outcome.token and rows[pk].state == Dispatch.State.SENDING
    }


def hand_back(row: Dispatch | Mail, now: datetime.datetime) -> None:
    """Makes a row due again if its call was not started, without saving the row. The claim does not count as an
    attempt."""
    row.attempts -= 1
    row.state, row.next_try_at = row.State.RETRYING if row.attempts else row.State.DUE, now


# --- jobs


class LeftError(Exception):
    """This process must stop, since it is shutting down, or its job was stopped or taken by another process."""


def own(job: Model) -> QuerySet:
    """Returns a queryset of the job's row. The queryset is empty if another process has continued the job meanwhile."""
    fence = {job.FENCE: getattr(job, job.FENCE)}
    return type(job)._default_manager.filter(pk=job.pk, state=job.state, **fence)


def take_job(job: Model, now: datetime.datetime, **more: object) -> bool:
    """Leases a waiting job. Returns False if another process has taken it, or another job of its kind is running."""
    taken = {"state": RUNNING, "attempts": F("attempts") + 1, "leased_until": now + JOB_LEASE, **more}
    try:
        with transaction.atomic():
            return bool(own(job).update(**taken))
    except IntegrityError:
        return False


def renew(job: Model, lease: datetime.timedelta = JOB_LEASE, **progress: object) -> None:
    """Extends the lease of a job of this process, and saves the job's progress. Raises LeftError if the job no longer
    belongs to this process."""
    if not own(job).update(leased_until=timezone.now() + lease, **progress):
        raise LeftError


def give_back(job: Model, **more: object) -> None:
    own(job).filter(state=RUNNING).update(state=WAITING, leased_until=None, **more)


def free_lost(model: type[Model], now: datetime.datetime) -> None:
    """Sets jobs with an expired lease back to waiting."""
    model._default_manager.filter(state=RUNNING, leased_until__lt=now).update(state=WAITING, leased_until=None)
