"""A database of its own and the processes of one benchmark; the `with` block removes all of it at its end."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from bench.environment import NAME, SERVER

ROOT = pathlib.Path(__file__).parent.parent
START_WITHIN = 30.0
END_WITHIN = 30.0
WORKERS = "-w 2 --threads 4"


class Desk:
    """`with Desk() as desk:`; `folder` holds the logs. This process's Django uses the same database."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="desk-bench-"))
        self.processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Desk":
        _on_server(f"CREATE DATABASE {NAME}")
        try:
            call_command("migrate", verbosity=0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)
        connections.close_all()
        _on_server(f"DROP DATABASE {NAME} WITH (FORCE)")
        shutil.rmtree(self.folder)

    def start(self, name: str, *words: str, **environment: str) -> subprocess.Popen:
        """Starts Python with these arguments in a session of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]

    def stop(self, name: str) -> None:
        """Sends SIGTERM, and SIGKILL to what is left of its session."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_WITHIN)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def start_web(self, name: str, application: str, *, workers: str = WORKERS, **environment: str) -> str:
        """Starts gunicorn with these workers; gives its address."""
        port = free_port()
        words = f"-m gunicorn {application} {workers} -b 127.0.0.1:{port} --no-control-socket"
        self.start(name, *words.split(), **environment)
        self.until(lambda: listens(port), what=f"{name} at port {port}")
        return f"http://127.0.0.1:{port}"

    def start_partner(self, milliseconds: float) -> str:
        """Starts a partner that answers every call after so long; this process and its children use it."""
        port = free_port()
        self.start("partner", "-m", "bench.partner", str(port), str(milliseconds))
        self.until(lambda: listens(port), what="the partner")
        settings.BIGDATA_BASE_URL = settings.BPM_BASE_URL = url = f"http://127.0.0.1:{port}"
        os.environ.update(BIGDATA_BASE_URL=url, BPM_BASE_URL=url)
        return url

    def until(self, true: Callable[[], object], *, what: str, seconds: float = START_WITHIN, every: float = 0.05):
        """Waits until `true()` holds. Raises TimeoutError with the ends of the logs."""
        end = time.monotonic() + seconds
        while not (found := true()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}\n{self._logs()}")
            time.sleep(every)
        return found

    def _logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _on_server(statement: str) -> None:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(statement)
