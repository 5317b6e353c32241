"""Ports of the loopback: free ones to give out, and whether somebody listens on one."""

import contextlib
import random
import socket

import requests

NEVER_GIVEN = range(20_000, 32_768)  # Linux gives connections those from 32768 on
CHANCE = random.SystemRandom()  # several processes choose at once, some with the same seed


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones, of those that the system gives to no connection: none is taken before it is used."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = CHANCE.choice(NEVER_GIVEN)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
        return found


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
