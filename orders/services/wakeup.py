"""Tells the workers that there is something to do."""

from django_q.brokers import get_broker
from django_q.tasks import async_task

DRAIN = "integrations.tasks.drain"  # a dotted path: the core does not import what lies above it
WAKE_KEY = "wake-up"  # the queue's key for drains that differ in nothing, so that one may stand for all


def wake(*, settle: bool = False) -> None:
    """Queues a drain. Inside a transaction it is one INSERT of that transaction, so it is seen exactly on commit.

    Only a hint: a lost one costs at most a minute, until the sweep. `settle` also looks for held orders whose trial
    has arrived in the meantime.
    """
    async_task(DRAIN, settle) if settle else async_task(DRAIN, broker=get_broker(WAKE_KEY))
