"""Heartbeats of the clusters (contract 3.9, Alive). A cluster without a heartbeat for HEARTBEAT_LIMIT
(integrations/models) counts as dead."""

import datetime

from django.db.models import F, Q
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import HEARTBEAT_LIMIT, Heartbeat
from integrations.worker.broker import SHARED_KEYS, cluster_id

PLAIN_CLUSTER = "qcluster"  # a cluster without a watchdog
OFTEN_ENOUGH = datetime.timedelta(seconds=5)
FORGOTTEN_AFTER = datetime.timedelta(days=1)


def beat(cluster: str = "", *, often_enough: datetime.timedelta = OFTEN_ENOUGH) -> None:
    """Stores that a cluster has carried out a task. Every drain calls this function, so it writes at most every
    `often_enough`."""
    name = cluster or cluster_id() or PLAIN_CLUSTER
    seen, now = last_seen(name), timezone.now()
    if seen is None:
        Heartbeat.objects.get_or_create(cluster=name, defaults={"started_at": now, "seen_at": now})
    elif not now - often_enough < seen <= now:
        Heartbeat.objects.filter(cluster=name).update(seen_at=now)


def last_seen(cluster: str) -> datetime.datetime | None:
    return Heartbeat.objects.filter(cluster=cluster).values_list("seen_at", flat=True).first()


def note_shutdown(cluster: str) -> None:
    """Stores the regular shutdown of a cluster. If the cluster was already dead, nothing is stored.

    The heartbeat gets the current time, so the cluster appears alive for another HEARTBEAT_LIMIT. A planned stop, a
    reload or an upgrade raises an alarm only if it lasts longer.
    """
    now = timezone.now()
    alive = Heartbeat.objects.filter(cluster=cluster, seen_at__gt=now - HEARTBEAT_LIMIT)
    alive.update(started_at=now, seen_at=now)  # equal values mark the shutdown: Heartbeat.has_ended


def forget_dead(*, now: datetime.datetime, after: datetime.timedelta = FORGOTTEN_AFTER) -> int:
    """Deletes unanswered pings and the heartbeats of dead clusters. Returns the number of deleted heartbeats.

    The heartbeat of a cluster that was shut down is deleted after HEARTBEAT_LIMIT. If a cluster was killed together
    with its watchdog, its heartbeat is deleted once its last task is longer ago than `after`.
    """
    ended = Q(started_at=F("seen_at"), seen_at__lt=now - HEARTBEAT_LIMIT)
    dead, _ = Heartbeat.objects.filter(ended | Q(seen_at__lt=now - after)).delete()
    ours = [*SHARED_KEYS, *Heartbeat.objects.values_list("cluster", flat=True)]
    OrmQ.objects.filter(lock__lt=now - after).exclude(key__in=ours).delete()
    return dead
