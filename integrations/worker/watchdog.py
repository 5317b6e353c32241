"""Keeps a qcluster running (contract 3.9, Alive).

django-q2's cluster can hang undetected. If an idle worker is killed, it keeps the queue's read lock, and the cluster's
own statistics still show the cluster as working. So the watchdog queues a ping for its cluster every 15 s. A cluster
that has not answered for 60 s is killed with all its processes, and replaced.

The watchdog also monitors the cluster's guard (django-q2's sentinel). If a worker is killed at the end of a task, it
keeps a lock for which the guard waits. Then the other worker still answers pings, but the schedules no longer run.

systemd monitors the watchdog (WatchdogSec). The watchdog notifies systemd in each round of its loop.

If this machine would call other partner addresses than the database's desk, no cluster runs
(integrations/base/other_desk.py).
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

from django.conf import settings
from django.db import Error, close_old_connections, transaction
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from integrations.base import other_desk
from integrations.base.database_deadline import CHECK_SECONDS, Outage, database_deadline
from integrations.bboss.clocks import watch_database_clock
from integrations.models import Heartbeat
from integrations.worker.broker import DeskBroker
from integrations.worker.heartbeat import last_seen, note_shutdown
from integrations.worker.parent_link import STOP_WITHIN, guard_reported
from integrations.worker.recurring_schedules import put_schedules_back
from orders.history.order_locks_and_events import add_event
from orders.outbox.enqueue import wake

logger = logging.getLogger(__name__)
PING_EVERY = 15.0
ANSWER_WITHIN = 60.0
LOOP_SECONDS = 0.5
HELD_LOOP_SECONDS = 2.0  # seconds between two comparisons with the desk while no cluster runs
LONGEST_BACK_OFF = 60.0  # longest seconds between two starts if the cluster never answers
STOP_DATABASE_SECONDS = 2.0  # seconds for the database's part of a stop
MAX_UNACKNOWLEDGED = 3  # times the patience, for a cluster that carries out tasks but can't acknowledge them


class Watchdog:
    """Starts a cluster, pings it and replaces it. `run()` returns when the process gets a signal to stop."""

    def __init__(self, *, ping_every: float = PING_EVERY, patience: float = ANSWER_WITHIN):
        self.name = f"{socket.gethostname()[:40]}-{uuid.uuid4().hex[:8]}"
        self.ping_every, self.patience = ping_every, patience
        self.stopping, self.reload_asked = threading.Event(), threading.Event()
        self.process: subprocess.Popen | None = None
        self.heartbeat_seen = None
        self.unanswered = self.unguarded = 0  # pings since the last sign of life of the workers, and of the guard
        self.failed_starts = 0
        self.compare_at = self.incident_at = 0.0  # without a cluster: times of the next comparison and of the incident
        self.outage = Outage(logger, "the watchdog")

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT. Then the cluster finishes its tasks. SIGHUP reloads the settings."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        signal.signal(signal.SIGHUP, lambda *_: self.reload_asked.set())
        with database_deadline(CHECK_SECONDS):  # before the first cluster starts, because it takes steps at once
            differs = other_desk.register_process(self.name, before=os.environ.get(other_desk.BEFORE, ""))
        if differs:
            self.hold(differs)
            self.incident_at = time.monotonic()
        else:
            self.start()
        sd_notify("READY=1")
        try:
            while not self.stopping.wait(LOOP_SECONDS):
                self.check()
                sd_notify("WATCHDOG=1")
                if self.reload_asked.is_set():
                    self.reload()
        finally:
            sd_notify("STOPPING=1")
            self.stop()

    def reload(self) -> None:
        """If the new settings are valid, replaces this process by a process with the new settings and the same pid.

        The cluster finishes its tasks first. Steps that become due meanwhile stay in the database.
        """
        self.reload_asked.clear()
        own = settings.ENVIRONMENT.own
        # Check before the stop. A running worker must not be replaced by a worker that can't start.
        if subprocess.run([sys.executable, "-m", "project.production", "reload"], check=False, env=own).returncode:
            logger.error("the worker goes on as it is: it could not start anew, for the reasons above")
            return
        logger.info("the worker starts anew")
        self.stop()
        if not self.stopping.is_set():
            os.execve(sys.executable, [sys.executable, *sys.argv], own | {other_desk.BEFORE: other_desk.digest()})

    def start(self) -> None:
        """Starts a cluster in its own session, linked to us by a socket. The first ping is due immediately."""
        self.guard_link, theirs = socket.socketpair()
        command = [sys.executable, sys.argv[0], "worker", "--tied-to", str(theirs.fileno())]
        environment = settings.ENVIRONMENT.for_children() | {"DESK_CLUSTER": self.name}
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, start_new_session=True)
        theirs.close()
        self.pinged_at, self.unanswered, self.unguarded = float("-inf"), 0, 0
        with contextlib.suppress(Error), database_deadline(CHECK_SECONDS):
            wake()  # for steps that are left over

    def check(self) -> None:
        if self.process is None:
            self.compare_with_desk()
            return
        self.note_guard()
        if self.process.poll() is not None:
            self.replace(f"it ended with code {self.process.returncode}")
        elif time.monotonic() - self.pinged_at >= self.ping_every:
            self.pinged_at = time.monotonic()
            if why := self.ping_in_time():
                self.replace(why)
            else:
                self.compare_with_desk()

    def compare_with_desk(self) -> None:
        """Ends the cluster if this machine would call other addresses than the desk. Once the addresses agree, starts a
        cluster again."""
        if self.process is None and time.monotonic() < self.compare_at:
            return
        self.compare_at = time.monotonic() + HELD_LOOP_SECONDS
        try:
            with database_deadline(CHECK_SECONDS):
                close_old_connections()
                differs = other_desk.differences_from_desk(self.name)
                if differs and self.process is None and time.monotonic() >= self.incident_at:
                    self.incident_at = time.monotonic() + other_desk.REPEAT_SECONDS
                    other_desk.open_incident(differs, now=timezone.now())
        except Error as error:
            self.outage.began(error)
            return
        if differs and self.process:
            self.hold(differs)
        elif not differs and self.process is None:
            logger.warning("this worker takes steps: it calls whom the desk of this database calls")
            self.start()

    def hold(self, differs: list[str]) -> None:
        """Ends the cluster, if any, so that this machine takes no step and no task. A reload may follow, so the
        incident opens only if the settings still differ a minute later."""
        logger.error(
            "this worker takes no step: it would call others than the desk of this database, by %s. Stop it, or make"
            " its settings the desk's: manage.py settings --adopt",
            ", ".join(differs),
        )
        self.incident_at = time.monotonic() + other_desk.REPEAT_SECONDS
        if self.process:
            self.end(orderly=True)

    def ping_in_time(self) -> str:
        """Sends a ping. If too many pings stayed unanswered, returns the reason for replacing the cluster instead.

        Pings are counted instead of seconds, so that the cluster is not replaced after the machine was suspended. While
        the database is unavailable, no cluster can answer, so the count starts again.
        """
        try:
            with database_deadline(CHECK_SECONDS):
                answer = self._ping_in_time()
        except Error as error:
            self.outage.began(error)
            self.unanswered = self.unguarded = 0
            return ""
        self.outage.over()
        return answer

    def _ping_in_time(self) -> str:
        close_old_connections()
        self.note_heartbeat()  # before the counts are checked, because any task since the last ping is an answer
        if self.unanswered * self.ping_every >= self.patience:
            return f"no answer for {self.patience:g} s"
        if self.unguarded * self.ping_every >= self.patience:
            return f"its guard stands still for {self.patience:g} s"
        self.unguarded += 1
        put_schedules_back(now=timezone.now())  # here, because without its schedule the sweep would not run
        watch_database_clock(now=timezone.now())
        return self.ping()

    def note_guard(self) -> None:
        if guard_reported(self.guard_link):
            self.unguarded = 0

    def note_heartbeat(self) -> None:
        """Resets the count of unanswered pings if the cluster has carried out a task since the last ping."""
        seen = last_seen(self.name)
        if seen != self.heartbeat_seen:
            self.heartbeat_seen, self.unanswered, self.failed_starts = seen, 0, 0

    def ping(self) -> str:
        """Queues a ping under the cluster's own key. If an untaken ping is already queued, queues no other.

        If the cluster takes pings but can't acknowledge them, returns the reason for replacing the cluster. Otherwise
        returns "".
        """
        pings = OrmQ.objects.filter(key=self.name)
        if pings.count() * self.ping_every >= MAX_UNACKNOWLEDGED * self.patience:
            return "it carries out tasks, but notes no results"
        if not pings.filter(lock__lte=timezone.now()).exists():
            async_task("integrations.tasks.ping", self.name, broker=DeskBroker(list_key=self.name))
        self.unanswered += 1
        return ""

    def replace(self, why: str) -> None:
        """Kills the cluster, adds an event and starts a new cluster. With each cluster that never answered, the delay
        before the start grows."""
        logger.error("cluster %s is replaced: %s", self.name, why)
        self.end(orderly=False)  # before the event, because the database may be unavailable
        with contextlib.suppress(Error), database_deadline(CHECK_SECONDS):
            self.note_replaced(why)
        back_off = min(2.0**self.failed_starts, LONGEST_BACK_OFF)
        self.failed_starts += 1
        if not self.stopping.wait(back_off):
            self.start()

    def note_replaced(self, why: str) -> None:
        close_old_connections()
        with transaction.atomic():
            OrmQ.objects.filter(key=self.name).delete()
            Heartbeat.objects.filter(cluster=self.name).update(replaced=F("replaced") + 1)
            add_event(None, "cluster_replaced", by="watchdog", now=timezone.now(), cluster=self.name, why=why)

    def stop(self) -> None:
        if self.process:
            self.end(orderly=True)  # before `note_shutdown`, because the cluster's last tasks write its heartbeat
        with contextlib.suppress(Error), database_deadline(STOP_DATABASE_SECONDS):
            close_old_connections()
            OrmQ.objects.filter(key=self.name).delete()
            note_shutdown(self.name)
            other_desk.unregister_process(self.name)

    def end(self, *, orderly: bool) -> None:
        """Closes the link. If `orderly`, waits up to STOP_WITHIN seconds. Then kills all processes that are left."""
        self.guard_link.close()
        if orderly:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_WITHIN)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def sd_notify(state: str) -> None:
    """Sends the state to systemd, as a datagram to the socket of the unit (Type=notify). Never waits and never
    raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(state.encode(), address)
