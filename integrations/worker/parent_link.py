"""The socket between a watchdog and all processes of its cluster (contract 3.9, Alive).

The watchdog closes its end of the socket to stop the cluster. If the watchdog is killed, the kernel closes that end.
Each process of the cluster detects this independently, even if other processes hang, so no process is left behind.

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
ending = threading.Event()  # once set, a process of the cluster finishes running work and starts none
_held: socket.socket | None = None


def hold(tie: int) -> None:
    """Watches the socket with the file descriptor `tie`, in this process and its children. Must be called in the
    cluster's main process before that process forks."""
    global _held
    _held = socket.socket(fileno=tie)
    _watch(_held)
    os.register_at_fork(after_in_child=lambda: _watch(_held))


def report_alive() -> None:
    """Sends a byte to the watchdog, if there is one, to show that the guard is alive. Never waits for the watchdog."""
    if _held:
        with contextlib.suppress(OSError):
            _held.send(b".", socket.MSG_DONTWAIT)


def guard_reported(tie: socket.socket) -> bool:
    """Returns True if the guard has sent a byte since the last call. Never waits."""
    try:
        return bool(tie.recv(4096, socket.MSG_DONTWAIT))
    except OSError:
        return False


def _watch(tie: socket.socket) -> None:
    threading.Thread(target=_wait_for_end, args=(tie,), name="tie", daemon=True).start()


def _wait_for_end(tie: socket.socket) -> None:
    """Waits until the watchdog's end of the socket is closed, then shuts the cluster down.

    The main process sends itself SIGTERM. After STOP_WITHIN seconds all remaining processes are killed.
    """
    with contextlib.suppress(OSError):
        tie.recv(1)
    ending.set()
    if os.getpid() == os.getpgid(0):
        logger.info("the watchdog let go: this cluster ends")
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN)
    os.killpg(os.getpgid(0), signal.SIGKILL)
