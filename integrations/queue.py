"""The queue's broker: django-q2's ORM broker, with a private key per cluster for the watchdog's pings.

Any cluster may take a task from the common queue, so a ping there would be answered by a neighbour and a hung cluster
would go unnoticed. A ping is therefore put under the key of the one cluster that it asks (contract 3.9, Alive).
"""

import os
from time import sleep

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf


def cluster_id() -> str:
    """The name that this cluster's watchdog gave it; empty under a plain `qcluster`."""
    return os.environ.get("DESK_CLUSTER", "")


class DeskBroker(ORM):
    """Takes from the common queue and from this cluster's own, oldest first."""

    def dequeue(self):
        """A list of (receipt, payload), or None after a short sleep. Compare-and-set on the lock: one taker a task."""
        keys = [key for key in (self.list_key, cluster_id()) if key]
        now = timezone.now()
        candidates = list(self.get_connection().filter(key__in=keys, lock__lt=now).order_by("pk")[: Conf.BULK])
        if not candidates:
            sleep(Conf.POLL)
            return None
        mine = self.get_connection()
        return [
            (task.pk, task.payload)
            for task in candidates
            if mine.filter(pk=task.pk, lock=task.lock).update(lock=self.timeout(task))
        ]
