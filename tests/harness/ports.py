"""Ports of the loopback: free ones to give out, and whether somebody listens on one."""

import contextlib
import socket

import requests


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def listens(port: int) -> bool:
    """Whether a connection to this port is taken."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether a GET is answered, other than by a failure of the server."""
    try:
        return requests.get(url, timeout=2).status_code < 500
    except requests.RequestException:
        return False
