"""The tie between a watchdog and its cluster: a socket that all processes of the cluster hold (contract 3.9, Alive).

The watchdog lets go of it to have the cluster end; when the watchdog is killed, the system lets go of it. Either way
every process of the cluster notices by itself, even where the others are dead or hang, and none is left behind.

The other way it carries the guard's sign of life: a byte for each of its rounds.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time

logger = logging.getLogger(__name__)
STOP_WITHIN = 25.0  # seconds; a call to a partner takes 10 at the most
ending = threading.Event()  # in the cluster's processes: begin nothing new, what runs may end
_held: socket.socket | None = None


def hold(tie: int) -> None:
    """In the cluster's main process, before it has children: watches the socket, here and in every process to come."""
    global _held
    _held = socket.socket(fileno=tie)
    _watch(_held)
    os.register_at_fork(after_in_child=lambda: _watch(_held))


def tell() -> None:
    """A sign of life for the watchdog, if there is one. One that does not listen is no reason to wait."""
    if _held:
        with contextlib.suppress(OSError):
            _held.send(b".", socket.MSG_DONTWAIT)


def heard(tie: socket.socket) -> bool:
    """Whether signs of life came since the last look."""
    try:
        return bool(tie.recv(4096, socket.MSG_DONTWAIT))
    except OSError:
        return False


def _watch(tie: socket.socket) -> None:
    threading.Thread(target=_wait_for_end, args=(tie,), name="tie", daemon=True).start()


def _wait_for_end(tie: socket.socket) -> None:
    """Ends the cluster in an orderly way: its main process asks the others. What is left after a while is killed."""
    with contextlib.suppress(OSError):
        tie.recv(1)
    ending.set()
    if os.getpid() == os.getpgid(0):
        logger.info("the watchdog let go: this cluster ends")
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN)
    os.killpg(os.getpgid(0), signal.SIGKILL)
