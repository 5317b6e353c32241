"""Finds free ports on the loopback interface, and tests whether a program listens on a port."""

import contextlib
import random
import socket

import requests

NEVER_GIVEN = range(20_000, 32_768)  # Linux assigns ports from 32768 on to outgoing connections
CHANCE = random.SystemRandom()  # several processes choose ports at the same time, some with the same seed


def free_port() -> int:
    """Returns a port on which no program listens now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Returns different free ports. The system assigns none of them to an outgoing connection.

    So no program takes them in the meantime.
    """
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = CHANCE.choice(NEVER_GIVEN)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
        return found


def listens(port: int) -> bool:
    """Returns True if a connection to this port is accepted."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Returns True if a GET gets a response with a status below 500."""
    try:
        return requests.get(url, timeout=2).status_code < 500
    except requests.RequestException:
        return False
