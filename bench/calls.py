"""The reference of `bench.deliver`: a partner call as a queue's task, with its result written at once."""

from django_q.models import OrmQ
from django_q.tasks import async_task

from integrations.bigdata.client import post_product_infos
from orders.models import Dispatch


def enqueue(pk: int, body: str) -> None:
    """Puts a call into the queue."""
    async_task("bench.calls.call", pk, body)


def left() -> int:
    """How many tasks have not been acknowledged yet."""
    return OrmQ.objects.count()


def call(pk: int, body: str) -> None:
    """Sends a body as a dispatch's call and notes that it is done: one call, one UPDATE, nothing else."""
    post_product_infos(body.encode(), key=f"bench-{pk}", request_id=f"bench-{pk}")
    Dispatch.objects.filter(pk=pk).update(error_code="sent")
