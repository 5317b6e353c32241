"""The database and the processes of a benchmark. At the end of the `with` block both are removed."""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from bench.environment import NAME, SERVER
from orders.restore.detect_restore import read_restore_state
from tests.harness.children import WORKERS, Children
from tests.harness.ports import free_port, listens


class Desk(Children):
    """A context manager with a new database. `folder` holds the logs. This process's Django uses the same database."""

    def __init__(self):
        super().__init__(pathlib.Path(tempfile.mkdtemp(prefix="desk-bench-")))
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> "Desk":
        on_server(f"CREATE DATABASE {NAME}")
        try:
            call_command("migrate", verbosity=0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_all()
        connections.close_all()
        on_server(f"DROP DATABASE {NAME} WITH (FORCE)")
        shutil.rmtree(self.folder)

    def start_web(self, name: str, application: str, *, workers: str = WORKERS, **environment: str) -> str:
        """Starts gunicorn with these workers. Returns its address, and adds it to `addresses`."""
        url = self.start_gunicorn(name, free_port(), application=application, workers=workers, **environment)
        self.addresses[name] = url
        return url

    def start_partner(self, milliseconds: float) -> str:
        """Starts a partner for this process and its children. The partner responds to every call after `milliseconds`.
        Returns the partner's address."""
        port = free_port()
        self.start("partner", "-m", "bench.partner", str(port), str(milliseconds))
        self.until(lambda: listens(port), what="the partner listens")
        settings.BIGDATA_BASE_URL = settings.BPM_BASE_URL = url = f"http://127.0.0.1:{port}"
        os.environ.update(BIGDATA_BASE_URL=url, BPM_BASE_URL=url)
        return url

    def start_sandbox(self, *words: str) -> str:
        """Starts the partners' sandbox with these arguments. Returns its address."""
        return self.start_sandbox_at(free_port(), *words)

    def command(self, *words: str, fails: bool = False, **environment: str) -> tuple[float, float, str]:
        """Runs a management command. Returns (seconds, largest MiB, output). If the command fails, raises RuntimeError.
        With `fails`, raises RuntimeError if the command succeeds."""
        name, began, most = words[0], time.monotonic(), 0.0
        (self.folder / f"{name}.log").unlink(missing_ok=True)
        process = self.start(name, "manage.py", *words, **environment)
        while process.poll() is None:
            most = max(most, _largest_size(process.pid))
            time.sleep(0.05)
        seconds, code, told = time.monotonic() - began, self.stop(name), self.log(name)
        if bool(code) != fails:
            raise RuntimeError(f"{' '.join(words)} ended with {code}: {told[-1000:]}")
        return seconds, most, told


def _largest_size(pid: int) -> float:
    """Returns the largest size so far in MiB. If the process has just ended, returns 0. `ru_maxrss` would include the
    size of the parent before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@contextlib.contextmanager
def copied_database(suffix: str) -> Iterator[BaseDatabaseWrapper]:
    """Yields a connection to a copy of the benchmark's database (see `switch`). At the end the copy is dropped.

    No other process may be connected to the benchmark's database while it is copied.
    """
    own, name = connections[DEFAULT_DB_ALIAS], f"{NAME}_{suffix}"
    connections.close_all()
    on_server(f"CREATE DATABASE {name} TEMPLATE {NAME}")
    other = own.copy()
    other.settings_dict["NAME"] = name
    try:
        on_server("UPDATE orders_timeline SET name = md5(random()::text)", name)  # not to count as restored
        yield other
    finally:
        switch(own)
        other.close()
        on_server(f"DROP DATABASE {name} WITH (FORCE)")


def switch(way: BaseDatabaseWrapper) -> None:
    """Makes this process's Django use this connection. The previous connection stays open."""
    connections[DEFAULT_DB_ALIAS] = way
    read_restore_state()  # so that the guard's mark goes to this database


def on_server(statement: str, database: str = "postgres") -> None:
    """Runs a statement on a new connection, outside transactions."""
    with psycopg.connect(f"{SERVER}/{database}", autocommit=True) as connection:
        connection.execute(statement)
