"""Keeps a qcluster alive (contract 3.9, Alive).

django-q2's cluster can hang without a sign: a killed idle worker takes the queue's read lock with it, and the cluster's
own statistics go on saying that it works. So somebody outside asks it: every 15 s a ping goes through the queue to this
very cluster, and a cluster that has not answered for 60 s is killed, with all its processes, and replaced. The cluster
for its part holds a pipe from the watchdog; when that closes, the watchdog is dead, and the cluster ends itself.
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

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from integrations.alive import beat, last_seen
from integrations.models import Heartbeat
from integrations.queue import DeskBroker
from orders.services.events import add_event

logger = logging.getLogger(__name__)
PING_EVERY = 15.0
PATIENCE = 60.0
STOP_WITHIN = 25.0  # a drain ends within 20 s
LOOK_EVERY = 0.5


class Watchdog:
    """Starts a cluster, asks it, replaces it. `run()` returns when it was told to stop."""

    def __init__(self):
        self.name = f"{socket.gethostname()[:40]}-{uuid.uuid4().hex[:8]}"
        self.stopping = threading.Event()

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT; then lets the cluster finish what it is doing."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        beat(self.name)
        self.start()
        try:
            while not self.stopping.wait(LOOK_EVERY):
                self.look()
        finally:
            self.stop()

    def start(self) -> None:
        """A new cluster in a process group of its own, tied to us by a pipe."""
        theirs, self.tie = os.pipe()
        command = [sys.executable, sys.argv[0], "worker", "--tied-to", str(theirs)]
        environment = os.environ | {"DESK_CLUSTER": self.name}
        self.process = subprocess.Popen(command, pass_fds=[theirs], env=environment, start_new_session=True)
        os.close(theirs)
        self.asked_at = self.answered_at = time.monotonic()
        self.seen = None

    def look(self) -> None:
        """Asks when it is time to; replaces a cluster that ended or does not answer."""
        if self.process.poll() is not None:
            self.replace(f"it ended with code {self.process.returncode}")
        elif time.monotonic() - self.asked_at >= PING_EVERY:
            self.ask()
            if time.monotonic() - self.answered_at >= PATIENCE:
                self.replace(f"no answer for {PATIENCE:.0f} s")

    def ask(self) -> None:
        """Sends a ping and looks whether there was a sign of life since the last one. A database that is away is no
        fault of the cluster's: nobody could answer, so the clock starts anew."""
        self.asked_at = time.monotonic()
        close_old_connections()
        try:
            seen = last_seen(self.name)
            if seen != self.seen:
                self.seen, self.answered_at = seen, time.monotonic()
            broker = DeskBroker(list_key=self.name)
            if not OrmQ.objects.filter(key=self.name).exists():
                async_task("integrations.tasks.ping", self.name, broker=broker)
        except DatabaseError:
            logger.exception("the database did not answer the watchdog")
            self.answered_at = time.monotonic()

    def replace(self, why: str) -> None:
        """Kills the cluster with all its processes and starts another, with an event that says so."""
        logger.error("cluster %s is replaced: %s", self.name, why)
        self.kill(signal.SIGKILL)
        self.process.wait()
        os.close(self.tie)
        with contextlib.suppress(DatabaseError):
            close_old_connections()
            OrmQ.objects.filter(key=self.name).delete()
            replaced = Heartbeat.objects.filter(cluster=self.name).values_list("replaced", flat=True).first() or 0
            Heartbeat.objects.filter(cluster=self.name).update(replaced=replaced + 1)
            add_event(None, "cluster_replaced", by="watchdog", now=timezone.now(), cluster=self.name, why=why)
        self.stopping.wait(1.0)  # a cluster that ends at once must not spin
        self.start()

    def stop(self) -> None:
        """Lets the cluster end; kills what is left after a while."""
        self.signal_main()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_WITHIN)
        self.kill(signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(DatabaseError):
            OrmQ.objects.filter(key=self.name).delete()
            Heartbeat.objects.filter(cluster=self.name).delete()

    def signal_main(self) -> None:
        """Asks the cluster's main process to end; its children must not get the signal, they finish their work."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self, number: int) -> None:
        """To the whole process group: orphans of a killed cluster would go on unseen."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def end_with(tie: int) -> None:
    """In the cluster: waits, in a thread, for the watchdog's end of the pipe to close, then ends this process group."""
    threading.Thread(target=_wait_for_end, args=(tie,), name="tie", daemon=True).start()


def _wait_for_end(tie: int) -> None:
    with contextlib.suppress(OSError):
        os.read(tie, 1)
    logger.error("the watchdog is gone: this cluster ends")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN)
    os.killpg(os.getpgid(0), signal.SIGKILL)
