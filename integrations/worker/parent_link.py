"""The link between a watchdog and its cluster: a socket that all processes of the cluster hold (contract 3.9, Alive).

The watchdog closes its end to stop the cluster. If the watchdog is killed, the kernel closes it. In both cases every
process of the cluster detects it independently, even if the others are dead or hang, and none is left behind.

In the other direction the guard (django-q2's sentinel) sends a byte in each of its rounds, to show that it is alive.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time

logger = logging.getLogger(__name__)
STOP_WITHIN = 25.0  # seconds; a call to a partner takes at most 10
ending = threading.Event()  # set in the cluster's processes: start nothing new, but finish running work
_held: socket.socket | None = None


def hold(tie: int) -> None:
    """Watches the socket in this process and its children. Call it in the cluster's main process, before it forks."""
    global _held
    _held = socket.socket(fileno=tie)
    _watch(_held)
    os.register_at_fork(after_in_child=lambda: _watch(_held))


def report_alive() -> None:
    """Notifies the watchdog, if there is one, that the guard is alive. Does not wait if the watchdog does not read."""
    if _held:
        with contextlib.suppress(OSError):
            _held.send(b".", socket.MSG_DONTWAIT)


def guard_reported(tie: socket.socket) -> bool:
    """Returns True if the guard has sent anything since the last call."""
    try:
        return bool(tie.recv(4096, socket.MSG_DONTWAIT))
    except OSError:
        return False


def _watch(tie: socket.socket) -> None:
    threading.Thread(target=_wait_for_end, args=(tie,), name="tie", daemon=True).start()


def _wait_for_end(tie: socket.socket) -> None:
    """Shuts the cluster down with SIGTERM to its main process. Kills the remaining processes after STOP_WITHIN."""
    with contextlib.suppress(OSError):
        tie.recv(1)
    ending.set()
    if os.getpid() == os.getpgid(0):
        logger.info("the watchdog let go: this cluster ends")
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN)
    os.killpg(os.getpgid(0), signal.SIGKILL)
