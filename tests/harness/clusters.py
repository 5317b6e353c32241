"""PostgreSQL clusters of a run's own: made in a temporary folder, broken at will, gone at the end."""

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

ROLE = "ibs"  # owns the desk's database; no superuser, so that reserved connections are not its own
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "wal_keep_size": "64MB",
    "min_wal_size": "4MB",
    "max_wal_size": "64MB",
}


def can_mount() -> bool:
    """Whether a file system of its own can be given to a cluster; a container without the right can't."""
    with tempfile.TemporaryDirectory(prefix="desk-mount-") as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


class PostgresCluster:
    """`with PostgresCluster() as cluster:`: it runs, and `cluster.url` leads to its `postgres` database.

    `size` ("192m") puts the data on a file system of that size, which takes root. Nothing is left after the block.
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
        """An empty cluster."""
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
        """The postmaster's and its children's; none if it does not run."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            if pathlib.Path(f"/proc/{postmaster}/comm").read_text().strip() == "postgres":
                return [postmaster, *descendants(postmaster)]
        return []

    # --- what one does with it

    def start(self) -> None:
        options = [f"-c {name}={value}" for name, value in SETTINGS.items()]
        options += [f"-p {self.port}", f"-c unix_socket_directories={self.folder}"]
        self._control("start", "-o", " ".join(options), "-l", str(self.folder / "server.log"))

    def stop(self, how: str = "fast") -> None:
        self._control("stop", "-m", how)

    def restart(self) -> None:
        """As after a crash: no shutdown, recovery at the start."""
        self.stop("immediate")
        self.start()

    def freeze(self) -> None:
        """SIGSTOP to all its processes, the postmaster first; the kernel goes on acknowledging packets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        self._signal(signal.SIGKILL)
        until(lambda: not self.pids(), what=f"no process of {self.name} is left")

    def promote(self) -> None:
        self._control("promote")

    def sql(self, statement: str, *, name: str = "postgres") -> list[tuple]:
        """Runs a statement as the superuser, who may write whatever the default is; its rows, if it gives any."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(
            self.url_of("postgres", name), autocommit=True, connect_timeout=10, options=options
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def set(self, name: str, value: str | None) -> None:
        """A server setting, by ALTER SYSTEM and a reload; None takes it back."""
        self.sql(f"ALTER SYSTEM RESET {name}" if value is None else f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    # --- within

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _control(self, what: str, *words: str) -> None:
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "60", *words, what)

    def run(self, program: str, *words: str | pathlib.Path) -> None:
        """One of PostgreSQL's programs, of the newest version here, as the account that it may run as."""
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
    """A copy of a primary that follows it by streaming replication. `follow` makes any cluster one, anew."""

    def __init__(self, primary: PostgresCluster, name: str = "standby"):
        super().__init__(name)
        self.primary = primary

    def make(self) -> None:
        follow(self, self.primary)


def follow(cluster: PostgresCluster, primary: PostgresCluster) -> None:
    """Makes the cluster's data anew, as a copy of the primary's; it is a standby from its start on."""
    shutil.rmtree(cluster.data, ignore_errors=True)
    source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={cluster.name}"
    cluster.run("pg_basebackup", "-D", cluster.data, "-d", source, "-R", "-X", "stream", "-c", "fast")


def wait_for(primary: PostgresCluster, standby: PostgresCluster) -> None:
    """From now on a commit is answered once this standby has it on its disk."""
    primary.set("synchronous_standby_names", standby.name)
    state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = '" + standby.name + "'"
    until(lambda: primary.sql(state) == [("sync",)], what=f"{standby.name} follows", report=standby.log)
