"""PostgreSQL clusters for one test run. They are in a temporary folder, can be broken, and are removed at the end."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg

from tests.harness.ports import free_port
from tests.harness.proc import descendants
from tests.harness.waiting import until

ROLE = "ibs"  # owns the desk's database; not a superuser, so it can't use the connections reserved for superusers
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "wal_keep_size": "64MB",
    "min_wal_size": "4MB",
    "max_wal_size": "64MB",
}


def can_mount() -> bool:
    """Returns True if a file system can be mounted for a cluster. Some containers have no permission to mount."""
    with tempfile.TemporaryDirectory(prefix="desk-mount-") as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


class PostgresCluster:
    """`with PostgresCluster() as cluster:` starts a cluster. `cluster.url` is the URL of its database `postgres`.

    With a `size` such as "192m", the data are on a file system of that size. Mounting it requires root. At the end of
    the block everything is removed.
    """

    def __init__(self, name: str = "primary", *, size: str = ""):
        self.name, self.size, self.port = name, size, free_port()

    def __enter__(self) -> "PostgresCluster":
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"desk-pg-{self.name}-"))
        try:
            self._own(self.folder)
            if self.size:
                self.disk.mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.disk], check=True)
                self._own(self.disk)
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc) -> None:
        with contextlib.suppress(OSError):
            self.thaw()
        self.kill()
        if self.size:
            subprocess.run(["umount", "-l", self.disk], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self) -> None:
        """Creates an empty cluster."""
        words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]
        self.run("initdb", "-D", self.data, *words)

    # --- where it is

    @property
    def disk(self) -> pathlib.Path:
        return self.folder / "disk"

    @property
    def data(self) -> pathlib.Path:
        return (self.disk if self.size else self.folder) / "data"

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, user: str, name: str = "postgres") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{name}"

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def pids(self) -> list[int]:
        """Returns the process ids of the postmaster and its children.

        If the server is not running, returns an empty list.
        """
        with contextlib.suppress(OSError, ValueError, IndexError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            if pathlib.Path(f"/proc/{postmaster}/comm").read_text().strip() == "postgres":
                return [postmaster, *descendants(postmaster)]
        return []

    # --- actions

    def start(self) -> None:
        options = [f"-c {name}={value}" for name, value in SETTINGS.items()]
        options += [f"-p {self.port}", f"-c unix_socket_directories={self.folder}"]
        self._control("start", "-o", " ".join(options), "-l", str(self.folder / "server.log"))

    def stop(self, how: str = "fast") -> None:
        self._control("stop", "-m", how)

    def restart(self) -> None:
        """Restarts the server as after a crash: stops it without a checkpoint, so that it recovers at the start."""
        self.stop("immediate")
        self.start()

    def freeze(self) -> None:
        """Sends SIGSTOP to all processes, to the postmaster first. The kernel still acknowledges packets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Sends SIGKILL to all processes."""
        self._signal(signal.SIGKILL)
        until(lambda: not self.pids(), what=f"no process of {self.name} is left")

    def promote(self) -> None:
        self._control("promote")

    def sql(self, statement: str, *, name: str = "postgres") -> list[tuple]:
        """Runs a statement as the superuser, with writing allowed. Returns the rows, if there are any."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(
            self.url_of("postgres", name), autocommit=True, connect_timeout=10, options=options
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def set(self, name: str, value: str | None) -> None:
        """Sets a server setting by ALTER SYSTEM and a reload. With None, resets it."""
        self.sql(f"ALTER SYSTEM RESET {name}" if value is None else f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    # --- internal

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _control(self, what: str, *words: str) -> None:
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "60", *words, what)

    def run(self, program: str, *words: str | pathlib.Path) -> None:
        """Runs a PostgreSQL program in its newest installed version. Under root it runs as the user `postgres`."""
        path = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))[-1]
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with (self.folder / "programs.log").open("ab") as log:
            ran = subprocess.run(
                [*as_postgres, path, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                check=False,
            )
        if ran.returncode:
            said = (self.folder / "programs.log").read_text(errors="replace")[-1500:]
            raise RuntimeError(f"{program} {words[-1]} of {self.name} ended with {ran.returncode}\n{said}")

    def _own(self, folder: pathlib.Path) -> None:
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")


class Standby(PostgresCluster):
    """A copy of a primary that follows it by streaming replication. `follow` turns any cluster into a standby."""

    def __init__(self, primary: PostgresCluster, name: str = "standby"):
        super().__init__(name)
        self.primary = primary

    def make(self) -> None:
        follow(self, self.primary)


def follow(cluster: PostgresCluster, primary: PostgresCluster) -> None:
    """Replaces the cluster's data by a copy of the primary's data. At its next start the cluster is a standby."""
    shutil.rmtree(cluster.data, ignore_errors=True)
    source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={cluster.name}"
    cluster.run("pg_basebackup", "-D", cluster.data, "-d", source, "-R", "-X", "stream", "-c", "fast")


def wait_for(primary: PostgresCluster, standby: PostgresCluster) -> None:
    """Makes each later commit on the primary wait until this standby has written it to its disk."""
    primary.set("synchronous_standby_names", standby.name)
    state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = '" + standby.name + "'"
    until(lambda: primary.sql(state) == [("sync",)], what=f"{standby.name} follows", report=standby.log)
