"""The queue's broker: django-q2's ORM broker with more keys.

Each cluster has a private key for the watchdog's pings. Any cluster takes tasks from the common queue. If pings were
there, another cluster could answer them, and a hung cluster would stay unnoticed (contract 3.9, Alive).

Periodic parts with a separate task have a key that versions before 1.12.0 do not read. Those versions lack some
functions of the parts, so such a task would fail after a downgrade.

Wake-ups (`orders/outbox/enqueue.py::wake`) have their own keys. A thousand orders leave a thousand wake-ups, but a
single drain does the work of all. So the cluster that takes a wake-up deletes the others.

While SECRET_KEY is being replaced, the queue contains tasks that are signed with an old key. django-q2 can't read such
tasks. The broker signs them again with the new key.
"""

import logging
import os
from time import sleep

from django.conf import settings
from django.core.signing import TimestampSigner
from django.db import Error, connection, transaction
from django.db.models import Case, DateTimeField, Value, When
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ

from integrations.base.database_deadline import Outage
from integrations.base.old_secrets import SIGNING_KEY, note_use, signing_key
from integrations.worker.parent_link import report_alive
from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.outbox.enqueue import SETTLE_KEY, WAKE_KEY

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1.0  # between two tries while the database does not respond
AT_ONCE = 1000
APART_KEY = "apart"  # periodic parts with a separate task
ALIKE = (WAKE_KEY, SETTLE_KEY)  # keys whose tasks are identical, so that one run does the work of all
SHARED_KEYS = (*ALIKE, APART_KEY, settings.Q_CLUSTER["name"])  # of tasks that any cluster takes
CANDIDATES = Prepared(  # executed at each poll of the queue
    lambda: OrmQ.objects.filter(OneOf("key", "queues"), lock__lt=Slot("now", DateTimeField())).order_by(
        Case(When(key=Slot("own"), then=Value(0)), default=Value(1)), "pk"
    )[: settings.Q_CLUSTER["bulk"]]
)


def cluster_id() -> str:
    """Returns the name that the watchdog gave this cluster. In a plain `qcluster`, returns ""."""
    return os.environ.get("DESK_CLUSTER", "")


def signed_anew(payload: str) -> str:
    """Returns the task's payload. If an old key signed it, signs it again with SECRET_KEY and records the old key's
    use."""
    if not settings.SECRET_KEY_FALLBACKS:
        return payload
    salt = settings.Q_CLUSTER["name"]
    key = signing_key(payload, salt)
    if key in (None, settings.SECRET_KEY):
        return payload
    note_use(SIGNING_KEY, key)
    signer = TimestampSigner(salt=salt)
    return signer.sign(signer.unsign(payload))


class DeskBroker(ORM):
    """Takes the pings of its own cluster first. Then takes all other tasks, the oldest first.

    Database errors are logged, not raised. Otherwise django-q2's pusher would sleep ten seconds and then die, and its
    monitor would die at once.
    """

    outage = Outage(logger, "the queue")

    def dequeue(self):
        """Returns a list of (receipt, payload). Returns None after a short sleep if there is no task, or after a
        database error."""
        try:
            taken = self._dequeue_rows()
            self.outage.over()
        except Error as error:
            self.outage.began(error)
            connection.close()
            sleep(RETRY_SECONDS)
            return None
        if not taken:
            sleep(settings.Q_CLUSTER["poll"])
        return taken or None

    def _dequeue_rows(self) -> list[tuple[int, str]]:
        """Returns (receipt, payload) of the taken tasks. A task is taken by compare-and-set on the task's lock, so that
        only one process gets the task."""
        taken, own = [], cluster_id()
        queues = [key for key in (own, *ALIKE, APART_KEY, self.list_key) if key]
        for task in CANDIDATES(own=own, queues=queues, now=timezone.now()):
            mine = self.get_connection().filter(pk=task.pk, lock=task.lock)
            if mine.update(lock=self.timeout(task)):
                taken.append((task.pk, signed_anew(task.payload)))
                if task.key in ALIKE:
                    self._drop_older(task.key)
        return taken

    def _drop_older(self, key: str) -> None:
        """Deletes all untaken tasks of a key except the newest, because one run does the work of all. Skips rows that
        other transactions lock."""
        free = self.get_connection().filter(key=key, lock__lt=timezone.now())
        if free.count() < 2:
            return
        with transaction.atomic():
            rows = free.order_by("-pk").select_for_update(skip_locked=True)
            pks = list(rows.values_list("pk", flat=True)[1:AT_ONCE])
            self.get_connection().filter(pk__in=pks).delete()

    def set_stat(self, key, value, timeout):
        """Reports that the cluster's guard (django-q2's sentinel) is alive. The guard calls this method twice a
        second."""
        report_alive()
        return super().set_stat(key, value, timeout)

    def delete(self, task_id):
        """Acknowledges a task. If the acknowledgement fails, the task is delivered again after `retry`. So all tasks
        must be idempotent."""
        try:
            super().delete(task_id)
            self.outage.over()
        except Error as error:
            self.outage.began(error)
            connection.close()
