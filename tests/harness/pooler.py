"""PgBouncer with deploy/pgbouncer.ini. Only addresses, files and authentication differ."""

import configparser
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import psycopg

from tests.harness.children import ROOT
from tests.harness.clusters import ROLE
from tests.harness.ports import free_port
from tests.harness.waiting import until

FILE = ROOT / "deploy" / "pgbouncer.ini"


def role_settings() -> list[str]:
    """Returns the statements of deploy/README.md that give the desk's role its settings.

    Behind a pooler, a session can't make these settings itself.
    """
    found = re.findall(rf"^ALTER ROLE {ROLE} SET .*;$", FILE.with_name("README.md").read_text(), re.M)
    if not found:
        raise ValueError("deploy/README.md names no settings of the role any more")
    return found


class PgBouncer:
    """`with PgBouncer(5432, prepared=200) as pooler:` starts a pooler for the server on this port.
    `pooler.url_of(name)` is the URL of a database. `prepared` is max_prepared_statements.
    """

    def __init__(self, server_port: int, *, prepared: int, user: str = ROLE):
        self.server_port, self.prepared, self.user, self.port = server_port, prepared, user, free_port()

    def __enter__(self) -> "PgBouncer":
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="desk-pgbouncer-"))
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self.process = None
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url_of(self, name: str) -> str:
        return f"postgres://{self.user}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        self._write()
        account = ["-u", "postgres"] if os.geteuid() == 0 else []
        path = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        self.process = subprocess.Popen(
            [path, "-q", *account, self.folder / "pgbouncer.ini"], stdin=subprocess.DEVNULL, cwd=self.folder
        )
        until(self._answers, what="PgBouncer answers", report=self.log)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.Error):
            psycopg.connect(self.url_of("postgres"), connect_timeout=5).close()
            return True
        return False

    def stop(self) -> None:
        """Stops PgBouncer at once, and breaks all connections."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, *, prepared: int | None = None) -> None:
        """Restarts PgBouncer. `prepared` is the new max_prepared_statements."""
        self.prepared = self.prepared if prepared is None else prepared
        self.stop()
        self.start()

    def log(self) -> str:
        return (self.folder / "pgbouncer.log").read_text(errors="replace")

    def _write(self) -> None:
        config = configparser.RawConfigParser(comment_prefixes=(";", "#"))
        config.optionxform = str
        config.read(FILE)
        config["databases"].clear()
        config["databases"]["*"] = f"host=127.0.0.1 port={self.server_port}"
        config["pgbouncer"].update(
            {
                "listen_port": str(self.port),
                "unix_socket_dir": "",
                "auth_type": "trust",
                "auth_file": str(self.folder / "users"),
                "logfile": str(self.folder / "pgbouncer.log"),
                "pidfile": str(self.folder / "pgbouncer.pid"),
                "max_prepared_statements": str(self.prepared),
            }
        )
        (self.folder / "users").write_text(f'"{self.user}" ""\n')
        with (self.folder / "pgbouncer.ini").open("w") as file:
            config.write(file)
