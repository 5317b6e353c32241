"""The references of `bench.deliver`: a partner call as a task of the queue."""

import datetime

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from integrations.bigdata.client import post_product_infos
from integrations.delivery.channels import build_payloads, send_step
from orders.models import Dispatch
from orders.sending.claim import claim
from orders.sending.record import record_outcomes


def enqueue() -> None:
    """Puts a task into the queue that delivers one due dispatch."""
    async_task("bench.calls.deliver_one")


def enqueue_bare(pk: int, body: str) -> None:
    """Puts a task into the queue that makes one call."""
    async_task("bench.calls.call", pk, body)


def left() -> int:
    """The number of tasks that have not been acknowledged yet."""
    return OrmQ.objects.count()


def clear() -> None:
    """Empties the queue."""
    OrmQ.objects.all().delete()


def deliver_one() -> None:
    """Claims the dispatch that is longest due, sends it and records the outcome, with the desk's own services."""
    lease = datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
    work = claim(build=build_payloads, rooms={"bigdata": 1}, now=timezone.now(), lease=lease, worker="bench")
    record_outcomes([send_step(one) for one in work], now=timezone.now())


def call(pk: int, body: str) -> None:
    """Sends a body as a dispatch's call and notes that it is done: one call, one UPDATE, nothing else."""
    post_product_infos(body.encode(), key=f"bench-{pk}", request_id=f"bench-{pk}")
    Dispatch.objects.filter(pk=pk).update(state=Dispatch.State.DONE)
