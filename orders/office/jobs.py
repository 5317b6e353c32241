"""Jobs for workers: exports and bulk runs. A job waits, is claimed, and ends.

The process that runs a job holds a lease and renews it (orders/outbox/leases.py). If it dies, the lease expires, and
the sweep queues the job again. Only one job of each kind runs in the background, so that a worker stays free for
deliveries. A constraint of each model enforces this.
"""

import datetime
from collections.abc import Callable
from typing import ClassVar, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_q.tasks import async_task

from orders.history.actors import is_of
from orders.incidents.desk_incidents import check_free_space
from orders.outbox.leases import RUNNING, WAITING, free_lost, take_job
from orders.texts.errors import NotAllowedError

WAIT_LIMIT = datetime.timedelta(minutes=1)  # after which a waiting job is queued again: its task was lost
MAX_ATTEMPTS = 10


class Job(models.Model):
    """Base class of jobs. `by` is an actor such as `staff:ACCOUNT`, and `maker_id` the account's id.

    `error` is a code with its parameters. A subclass has `state` with "waiting" and "running", `attempts`, and the
    class attributes below.
    """

    TASK: ClassVar[str]  # a dotted path, since the core must not import integrations
    TASK_OPTIONS: ClassVar[dict] = {}
    FENCE: ClassVar[str]  # field that each claim increments, so that an earlier process can't write the row
    TURNS: ClassVar[list]  # the ordering of waiting jobs
    WAITS_SINCE: ClassVar[str]
    IN_BACKGROUND: ClassVar[dict] = {"state": RUNNING}
    UNFINISHED: ClassVar[list[str]]
    MAX_UNFINISHED: ClassVar[int]  # per person
    TOO_MANY: ClassVar[str]  # error code for more than MAX_UNFINISHED

    maker_id = models.BigIntegerField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    error = models.JSONField(_("error"), default=dict, blank=True)

    class Meta:
        abstract = True


AnyJob = TypeVar("AnyJob", bound=Job)


def check_quota(model: type[Job], maker_id: int | None) -> None:
    """Raises NotAllowedError if the disk is nearly full or the person has MAX_UNFINISHED unfinished jobs. Do not call
    this function in a transaction, since a rollback would remove the incident `disk_low`."""
    check_free_space()
    if maker_id is None:
        return
    if model._default_manager.filter(maker_id=maker_id, state__in=model.UNFINISHED).count() >= model.MAX_UNFINISHED:
        raise NotAllowedError(model.TOO_MANY, most=model.MAX_UNFINISHED)


def is_made_by(job: Job, user) -> bool:
    return is_of(user, job.by, job.maker_id, job.created_at)


def queue(job: Job) -> None:
    async_task(job.TASK, job.pk, **job.TASK_OPTIONS)


def claim(
    model: type[AnyJob], pk: int, *, now: datetime.datetime, give_up: Callable[[AnyJob], None], **more: object
) -> AnyJob | None:
    """Claims a waiting job, or a job whose process has died. Returns None if the job has ended or had too many
    attempts, or if another job is running."""
    free_lost(model, now)
    job = model._default_manager.filter(pk=pk, state=WAITING).first()
    if job is None:
        return None
    if job.attempts >= MAX_ATTEMPTS:
        give_up(job)
        return None
    return model._default_manager.get(pk=pk) if take_job(job, now, **more) else None


def resume(model: type[Job], *, now: datetime.datetime) -> None:
    """Queues the next job again if it has waited for WAIT_LIMIT and no job is running. The sweep calls this function
    each minute."""
    free_lost(model, now)
    queue_next(model, before=now - WAIT_LIMIT)


def queue_next(model: type[Job], *, before: datetime.datetime) -> None:
    """If no job is running, queues the first of the jobs that have waited since `before`."""
    if model._default_manager.filter(**model.IN_BACKGROUND).exists():
        return
    waiting = model._default_manager.filter(state=WAITING, **{f"{model.WAITS_SINCE}__lte": before})
    if job := waiting.order_by(*model.TURNS).first():
        queue(job)
