"""Heartbeats of the clusters (contract 3.9, Alive)."""

import datetime

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Heartbeat
from integrations.worker.broker import ALIKE, cluster_id

PLAIN = "qcluster"  # a cluster without a watchdog
OFTEN_ENOUGH = datetime.timedelta(seconds=5)
FORGOTTEN_AFTER = datetime.timedelta(days=1)


def beat(cluster: str = "", *, often_enough: datetime.timedelta = OFTEN_ENOUGH) -> None:
    """Notes that a cluster has carried out a task, at most every five seconds, since every drain calls it."""
    name = cluster or cluster_id() or PLAIN
    seen, now = last_seen(name), timezone.now()
    if seen is None:
        Heartbeat.objects.get_or_create(cluster=name, defaults={"started_at": now, "seen_at": now})
    elif not now - often_enough < seen <= now:
        Heartbeat.objects.filter(cluster=name).update(seen_at=now)


def last_seen(cluster: str) -> datetime.datetime | None:
    return Heartbeat.objects.filter(cluster=cluster).values_list("seen_at", flat=True).first()


def forget_dead(*, now: datetime.datetime, after: datetime.timedelta = FORGOTTEN_AFTER) -> int:
    """Removes heartbeats of clusters killed with their watchdog, and unanswered pings. Returns how many heartbeats."""
    dead, _ = Heartbeat.objects.filter(seen_at__lt=now - after).delete()
    ours = [settings.Q_CLUSTER["name"], *ALIKE, *Heartbeat.objects.values_list("cluster", flat=True)]
    OrmQ.objects.filter(lock__lt=now - after).exclude(key__in=ours).delete()
    return dead
