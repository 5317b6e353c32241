"""Tells systemd how the worker is: `READY=1`, `WATCHDOG=1`, `STOPPING=1`. Under no systemd it does nothing."""

import contextlib
import os
import socket


def sd_notify(state: str) -> None:
    """One datagram to the socket that the unit (Type=notify) names. Never waits, never fails: the work counts more."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in the kernel's own space
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(state.encode(), address)
