"""The queue's broker: django-q2's ORM broker, with two more keys than the common one.

A private key per cluster, for the watchdog's pings: any cluster may take a task from the common queue, so a ping there
would be answered by a neighbour and a hung cluster would go unnoticed (contract 3.9, Alive).

A key for wake-ups: a thousand orders leave a thousand of them, and one drain does the work of all. So whoever takes
one throws the others away.
"""

import logging
import os
from time import sleep

from django.db import Error, connections, transaction
from django.db.models import Case, Value, When
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from integrations.database_deadline import Outage
from integrations.worker.parent_link import tell
from orders.services.wakeup import WAKE_KEY

logger = logging.getLogger(__name__)
AWAY = 1.0  # seconds between two questions to a database that does not answer
AT_ONCE = 1000


def cluster_id() -> str:
    """The name that this cluster's watchdog gave it; empty under a plain `qcluster`."""
    return os.environ.get("DESK_CLUSTER", "")


class DeskBroker(ORM):
    """Takes pings of its own cluster first, then wake-ups and the common queue, oldest first.

    A database error is waited out here: django-q2's pusher would sleep ten seconds and die of it, its monitor at once.
    """

    outage = Outage(logger, "the queue")

    def dequeue(self):
        """A list of (receipt, payload), or None after a short sleep."""
        try:
            taken = self._take()
            self.outage.over()
        except Error as error:
            self.outage.began(error)
            connections[Conf.ORM].close()
            sleep(AWAY)
            return None
        if not taken:
            sleep(Conf.POLL)
        return taken or None

    def _take(self) -> list[tuple[int, str]]:
        """Compare-and-set on the lock: one taker a task."""
        taken = []
        for task in self._candidates():
            mine = self.get_connection().filter(pk=task.pk, lock=task.lock)
            if mine.update(lock=self.timeout(task)):
                taken.append((task.pk, task.payload))
                if task.key == WAKE_KEY:
                    self._drop_doubles()
        return taken

    def _candidates(self) -> list:
        own = cluster_id()
        keys = [key for key in (own, WAKE_KEY, self.list_key) if key]
        free = self.get_connection().filter(key__in=keys, lock__lt=timezone.now())
        own_first = Case(When(key=own, then=Value(0)), default=Value(1))
        return list(free.order_by(own_first, "pk")[: Conf.BULK])

    def _drop_doubles(self) -> None:
        """All wake-ups but the newest: what they stand for is committed, so the drain that follows will see it. The
        newest stays for another worker."""
        free = self.get_connection().filter(key=WAKE_KEY, lock__lt=timezone.now())
        if free.count() < 2:
            return
        with transaction.atomic(using=Conf.ORM):
            rows = free.order_by("-pk").select_for_update(skip_locked=True)
            pks = list(rows.values_list("pk", flat=True)[1:AT_ONCE])
            self.get_connection().filter(pk__in=pks).delete()

    def set_stat(self, key, value, timeout):
        """Called by the cluster's guard in each of its rounds, twice a second: its sign of life."""
        tell()
        return super().set_stat(key, value, timeout)

    def delete(self, task_id):
        """Acknowledges a task. One that can't be now comes again after `retry`: every task may run twice."""
        try:
            super().delete(task_id)
            self.outage.over()
        except Error as error:
            self.outage.began(error)
            connections[Conf.ORM].close()
