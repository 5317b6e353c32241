"""`make test`: runs pytest on SQLite, on all cores, and on PostgreSQL if one answers, both at the same time.

TEST_DATABASE_URL names a PostgreSQL. Without it, the one at 127.0.0.1:5432 is tried. Arguments are passed on to
pytest, which then runs all tests that they name, on both databases.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from typing import IO, NamedTuple

import psycopg
from psycopg import sql

from tests import databases
from tests.harness.proc import processes_of

LOCAL = "127.0.0.1:5432"
USERS = ("root", "postgres")
PYTEST = [sys.executable, "-m", "pytest"]
WHOLE = os.environ.get("DESK_TEST_WHOLE") == "1"
MOST_PROCESSES = 4  # each process imports all tests, so more processes would end hardly any sooner
# The tests of a file run in the same process, because they share what a module's fixtures start.
SPREAD = ["-n", f"{min(len(os.sched_getaffinity(0)), MOST_PROCESSES)}", "--dist", "loadfile", "--no-loadscope-reorder"]
# loading these takes a second in each process
NOT_NEEDED = ["-p", "no:schemathesis", "-p", "no:anyio", "-p", "no:faker"]
LEFT_OUT = (
    "left out: tests with many real processes or PostgreSQL clusters, alarms over a quiet week, what is played at"
    " random or was found so, Latin words on pages of every state, HTML in every text, rubbish in addresses, what a"
    " migration carries over, the largest texts and orders, of tests that use the database or start a process and"
    " differ in their parameters alone all but the first, where both databases are tested what mostly waits on SQLite,"
    " and on PostgreSQL what depends little on the database; `make test WHOLE=1` plays all of it on SQLite,"
    " and a sample on PostgreSQL"
)
END_WITHIN = 30  # in seconds; after Ctrl-C pytest still ends its fixtures: processes and the test database
LOOK_EVERY = 0.2


class Server(NamedTuple):
    """A PostgreSQL that answers."""

    url: str
    name: str


class NoDatabaseError(Exception):
    """Raised if the PostgreSQL of TEST_DATABASE_URL does not answer."""


class Run:
    """A run of pytest on one database. Its output goes to a file that is printed later, or directly to the terminal."""

    def __init__(
        self, name: str, arguments: list[str], *, url: str = "", output: IO[bytes] | None = None, **environment: str
    ) -> None:
        self.name, self.url, self.output = name, url, output
        self.run = uuid.uuid4().hex
        self.mark = f"DESK_TEST_RUN={self.run}"  # all processes that the run starts inherit this variable
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        cache = f"cache_dir=.pytest_cache/{'postgresql' if url else 'sqlite'}"
        self.began = time.monotonic()
        self.seconds = 0.0  # from its beginning until it ended by itself
        self.process = subprocess.Popen(
            [*PYTEST, "-o", cache, *arguments],
            env=inherited | environment | {"DESK_TEST_DATABASE_URL": url, "DESK_TEST_RUN": self.run},
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,
        )

    def ended(self) -> bool:
        """Returns True if the run has ended, and notes how long it took."""
        if self.process.poll() is None:
            return False
        self.seconds = self.seconds or time.monotonic() - self.began
        return True

    def show(self) -> None:
        """Prints the output of the run that was written to a file."""
        if self.output:
            print(f"\n{'=' * 30} {self.name} {'=' * 30}", flush=True)
            self.output.seek(0)
            sys.stdout.buffer.write(self.output.read())
            sys.stdout.flush()

    def verdict(self) -> str:
        """Returns the result of the run in one line."""
        if not self.seconds:
            return f"{self.name}: stopped before its end"
        code = self.process.returncode
        return f"{self.name}: {'passed' if code == 0 else f'FAILED (exit code {code})'} in {self.seconds:.0f} s"

    def end(self) -> None:
        """Ends all processes of the run and drops its test database, whether the run ended by itself or not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_WITHIN)
        for one in processes_of(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        self.process.wait()
        self._drop_database()

    def _drop_database(self) -> None:
        """Drops the test databases that are left. pytest drops its own unless it was killed."""
        beginning = databases.beginning(self.run)
        for file in databases.folder().glob(f"{beginning}*"):
            file.unlink(missing_ok=True)
        if self.url:
            with contextlib.suppress(psycopg.Error), connect(self.url) as connection:
                named = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
                for (name,) in connection.execute(named, [beginning]).fetchall():
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def connect(url: str) -> psycopg.Connection:
    """Returns a connection outside any transaction. Raises psycopg.Error."""
    return psycopg.connect(url, connect_timeout=2, autocommit=True)


def find_server() -> Server | None:
    """Returns the PostgreSQL to test on, or None if none answers. Raises NoDatabaseError if the requested one does not
    answer.
    """
    asked = os.environ.get("TEST_DATABASE_URL", "")
    for url in [asked] if asked else [f"postgres://{user}@{LOCAL}/postgres" for user in USERS]:
        try:
            with connect(url) as connection:
                return Server(url, describe(connection.info))
        except psycopg.Error as error:
            if asked:
                raise NoDatabaseError(f"TEST_DATABASE_URL does not answer: {error}") from error
    return None


def describe(info: psycopg.ConnectionInfo) -> str:
    """Returns a text such as `PostgreSQL 15.20 at 127.0.0.1:5432`."""
    major, minor = divmod(info.server_version, 10000)
    return f"PostgreSQL {major}.{minor} at {info.host}:{info.port}"


def run_all(server: Server | None, arguments: list[str], stopping: threading.Event) -> list[Run]:
    """Runs pytest on each database and prints the output. No process is left when it returns."""
    wanted: list[dict] = [{"name": "SQLite", "arguments": arguments or [*SPREAD, *([] if WHOLE else NOT_NEEDED)]}]
    if server:
        wanted.append(wanted[0] | {"name": server.name, "url": server.url})
    shared = {} if arguments else {"DESK_TEST_SHARED": "1", "DESK_TEST_POSTGRESQL": "1" if server else ""}
    runs: list[Run] = []
    with contextlib.ExitStack() as files:
        try:
            for place, one in enumerate(wanted):
                output = files.enter_context(tempfile.TemporaryFile()) if place else None
                runs.append(Run(output=output, **one, **shared))
            while not stopping.is_set() and [run for run in runs if not run.ended()]:
                stopping.wait(LOOK_EVERY)
        finally:
            for run in runs:
                run.end()
        for run in runs:
            run.show()
    return runs


def listen_for_end() -> threading.Event:
    """Returns an event that Ctrl-C, SIGTERM and a closed terminal set."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 if all tests passed."""
    try:
        server = find_server()
    except NoDatabaseError as error:
        print(error, file=sys.stderr)
        return 2
    alone = f"SQLite alone (no PostgreSQL answers on {LOCAL} and TEST_DATABASE_URL is not set)"
    print(f"databases: {f'SQLite and {server.name}' if server else alone}", flush=True)
    stopping = listen_for_end()
    runs = run_all(server, arguments, stopping)
    print()
    for run in runs:
        print(run.verdict())
    if not arguments and not WHOLE:
        print(LEFT_OUT)
    return 1 if stopping.is_set() or any(run.process.returncode for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
