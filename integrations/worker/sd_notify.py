"""Reports the worker's state to systemd: `READY=1`, `WATCHDOG=1`, `STOPPING=1`. Does nothing without systemd."""

import contextlib
import os
import socket


def sd_notify(state: str) -> None:
    """Sends one datagram to the socket that the unit (Type=notify) names. Never waits and never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(state.encode(), address)
