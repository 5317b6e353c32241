"""The messages to systemd: "ready" once a cluster was started, "alive" only while the loop runs, and "stopping"."""

import socket
import sys

import pytest

from integrations.worker import watchdog
from integrations.worker.watchdog import Watchdog, sd_notify


@pytest.fixture(params=["a path", "a name of the kernel's"])
def systemd(request, tmp_path, monkeypatch):
    """Returns systemd's end of the socket. Its reads do not wait."""
    address = str(tmp_path / "notify") if request.param == "a path" else f"\0desk-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        yield sock


def heard(sock: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.mark.django_db
def test_the_loop_tells_of_each_round(systemd, monkeypatch):
    monkeypatch.setattr(watchdog, "close_old_connections", lambda: None)
    monkeypatch.setattr(watchdog, "LOOP_SECONDS", 0.01)
    monkeypatch.setattr(sys, "executable", "/bin/true")
    monkeypatch.setattr(watchdog.signal, "signal", lambda *_: None)
    dog, told = Watchdog(), []

    def look():
        told.append(heard(systemd))
        if len(told) == 4:
            dog.stopping.set()

    monkeypatch.setattr(dog, "check", look)
    dog.run()
    assert told == [["READY=1"], ["WATCHDOG=1"], ["WATCHDOG=1"], ["WATCHDOG=1"]]
    assert heard(systemd) == ["WATCHDOG=1", "STOPPING=1"]


def test_without_systemd_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sd_notify("READY=1")


def test_a_systemd_that_is_gone_or_busy_holds_nobody_up(systemd):
    for _ in range(10_000):
        sd_notify("WATCHDOG=1")
    systemd.close()
    sd_notify("WATCHDOG=1")
