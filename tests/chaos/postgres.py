"""A PostgreSQL server of the run's own, so that it can be restarted without harm to others."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from tests.processes.desk import free_port


class PrivatePostgres:
    """`with PrivatePostgres() as server:` — `server.url` leads to its `postgres` database."""

    def __enter__(self) -> "PrivatePostgres":
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="desk-pg-"))
        self.port = free_port()
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self._control("start")
        return self

    def __exit__(self, *exc):
        self._control("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def restart(self) -> None:
        """As after a crash: no shutdown, recovery at the start."""
        self._control("restart")

    def _control(self, what: str) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        more = [] if what == "stop" else ["-o", options, "-l", str(self.folder / "server.log")]
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", *more, what)

    def _run(self, program: str, *words: str) -> None:
        path = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))[-1]
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*as_postgres, str(path), *words], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
