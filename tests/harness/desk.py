"""A desk of real processes: sandbox, web (gunicorn) and worker. It has its own database and its own clock."""

import contextlib
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import requests

from integrations.bboss.sample_envelope import signed_envelope
from tests.files.books import book, write
from tests.harness.children import ROOT, Children
from tests.harness.clusters import PostgresCluster
from tests.harness.ports import free_port, free_ports
from tests.harness.proc import Cluster, processes_of
from tests.template import copy_database, copy_file, fill_database

SECRETS = {
    "SECRET_KEY": "process-tests-only",
    "BBOSS_APP_SECRET": "test-app-secret",
    "BBOSS_ACCESS_TOKENS": "20991231235959" + "a" * 32 + "-1234-1700000000",
    "BBOSS_RATE": "",
    "BBOSS_UNSIGNED_RATE": "",
    "BPM_CALLBACK_SECRET": "test-callback-secret",
    "DEFAULT_CONTACT_MAIL": "desk@example.com",
    "EMAIL_URL": "dummymail://",
    "DISPATCH_RETRY_SECONDS": "1,1,2,2,3,3",
    "PARTNER_ANSWERS": "trust",  # otherwise random faults would hold unproven calls; the demo tests `prove`
}


class ProcessDesk(Children):
    """A desk of real processes: `with ProcessDesk(folder, postgres="", clock="...") as desk:`.

    `postgres` is a server's URL, or empty for SQLite. `through` is the URL that the desk's processes use instead of
    the server's URL, such as that of a relay or a pooler. `root` is the checkout whose code they run. A test may
    change `root` between two processes.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        postgres: str = "",
        through: str = "",
        clock: str = "",
        root: pathlib.Path = ROOT,
        **settings: str,
    ):
        super().__init__(folder, root=root)
        self.name = f"desk_p_{uuid.uuid4().hex[:10]}"
        self.postgres, self.through, self.settings = postgres, through or postgres, settings
        self.looker: psycopg.Connection | None = None
        self.clock_file = folder / "clock" if clock else None
        self.ports = dict(zip(("sandbox", "web", "intake"), free_ports(3), strict=True))
        if clock:
            self.at(clock)

    def __enter__(self) -> "ProcessDesk":
        self.make_migrated_database()
        try:
            (self.folder / "attachments").mkdir(exist_ok=True)
            self.start_sandbox()
            self.start_web()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.stop_all()
        left = self.alive()
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.drop_database()
        assert not left, f"left behind: {left}\n{self.logs()}"

    def make_database(self) -> None:
        if self.postgres:
            self.sql(f"CREATE DATABASE {self.name}")

    def make_migrated_database(self) -> None:
        """Creates the desk's database. On SQLite and on the tests' server, copies the template.

        On other servers, fills a new database for the desk's role.
        """
        if "DATABASE_POOLER" in self.settings:  # loading a dump would leave settings in the pooler's connections
            self.make_database()
            self.manage("migrate", "-v0")
        elif self.postgres and self.postgres == self.through == os.environ.get("DESK_TEST_DATABASE_URL"):
            copy_database(self.postgres, self.name, self.root)
        elif self.postgres:
            self.make_database()
            fill_database(self.database_url, self.root)
        else:
            copy_file(self.folder / "desk.sqlite3", self.root)

    def drop_database(self) -> None:
        self._look_anew()
        if self.postgres:
            self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(statement)

    def rows(self, statement: str) -> list[tuple]:
        """Returns the rows of a SELECT on the desk's database."""
        if self.postgres:
            try:
                return self._looker().execute(statement).fetchall()
            except psycopg.OperationalError:
                if self.looker is None:  # connecting failed
                    raise
            self._look_anew()  # the server was down in the meantime, or closed this connection
            return self._looker().execute(statement).fetchall()
        with contextlib.closing(sqlite3.connect(self.folder / "desk.sqlite3", timeout=20)) as connection:
            return connection.execute(statement).fetchall()

    def _looker(self) -> psycopg.Connection:
        """Returns a connection that all calls of `rows` share, because PostgreSQL starts a process for each
        connection."""
        if self.looker is None:
            self.looker = psycopg.connect(self._url(self.postgres), autocommit=True, prepare_threshold=None)
        return self.looker

    def _look_anew(self) -> None:
        if self.looker is not None:
            self.looker.close()
            self.looker = None

    @property
    def database_url(self) -> str:
        if self.postgres:
            return self._url(self.through)
        return f"sqlite:///{self.folder / 'desk.sqlite3'}"

    def _url(self, server: str) -> str:
        return urlsplit(server)._replace(path=f"/{self.name}").geturl()

    @property
    def environment(self) -> dict[str, str]:
        mine = {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": self.database_url,
            "ATTACHMENT_DIR": str(self.folder / "attachments"),
            "EXPORT_DIR": str(self.folder / "exports"),
            "STATE_DIR": str(self.folder / "state"),
            "BPM_BASE_URL": f"{self.sandbox_url}/bpm",
            "BIGDATA_BASE_URL": f"{self.sandbox_url}/bigdata",
            "PYTHONUNBUFFERED": "1",
            "TEST_DESK": self.name,
        }
        if self.clock_file:
            mine |= {"TEST_CLOCK_FILE": str(self.clock_file), "PYTHONPATH": str(ROOT / "tests" / "clock_site")}
            mine |= {"CLOCK_SKEW_SECONDS": "0"}
        return os.environ | SECRETS | mine | self.settings

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    @property
    def web_url(self) -> str:
        return self.url_of("web")

    def url_of(self, name: str) -> str:
        """Returns the URL of one of the desk's web processes."""
        return f"http://127.0.0.1:{self.ports[name]}"

    # --- the clock

    def at(self, text: str) -> None:
        """Sets the clock of the processes. `text` is an ISO time with a zone, or `+SECONDS` ahead of the real time."""
        part = self.clock_file.with_suffix(".part")
        part.write_text(text)
        part.rename(self.clock_file)

    def now(self) -> datetime.datetime:
        if self.clock_file:
            text = self.clock_file.read_text()
            if text.startswith("+"):
                return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(text))
            return datetime.datetime.fromisoformat(text)
        return datetime.datetime.now(datetime.UTC)

    # --- processes

    def manage(self, *words: str, **how) -> subprocess.CompletedProcess:
        """Runs a management command (`Children.run`)."""
        return self.run("manage.py", *words, **how)

    def start_sandbox(self) -> None:
        self.start_sandbox_at(self.ports["sandbox"], "--state", str(self.folder / "partners.sqlite3"))

    def start_web(self, name: str = "web") -> None:
        """Starts gunicorn as `web`, or as an additional process with another name, such as `intake`."""
        self.start_gunicorn(name, self.ports.setdefault(name, free_port()))

    def start_worker(
        self, name: str = "worker", *, ping_every: float = 15, patience: float = 60, **environment: str
    ) -> subprocess.Popen:
        self.worker_since = datetime.datetime.now(datetime.UTC)
        words = ["--ping-every", str(ping_every), "--patience", str(patience)]
        return self.start(name, "manage.py", "worker", *words, **environment)

    def alive(self) -> list:
        """Returns all living processes of this desk, including orphans."""
        return processes_of(f"TEST_DESK={self.name}")

    def cluster(self, name: str = "worker") -> Cluster:
        """Waits until the worker's cluster is complete and has answered its watchdog. Returns the cluster's parts."""

        def complete():
            with contextlib.suppress(ValueError, OSError):  # some processes have not started yet, or have ended
                found = Cluster(self.processes[name].pid)
                answered = found.name in self.heartbeats(since=self.worker_since)
                return found if len(found.workers) == 2 and answered else None

        return self.until(complete, seconds=120)

    def heartbeats(self, since: datetime.datetime = datetime.datetime(2000, 1, 1)) -> set[str]:
        """Returns the names of the clusters with a heartbeat after this time (UTC)."""
        moment = f"{since:%Y-%m-%d %H:%M:%S.%f}" + ("+00" if self.postgres else "")
        return {name for (name,) in self.rows(f"SELECT cluster FROM integrations_heartbeat WHERE seen_at > '{moment}'")}

    def replacements(self) -> int:
        """Returns the number of events about a replaced cluster."""
        return self.rows("SELECT count(*) FROM orders_orderevent WHERE kind = 'cluster_replaced'")[0][0]

    # --- messages, callbacks and look-ups

    def post(self, content: dict, *, to: str = "web", **overrides) -> dict:
        envelope = signed_envelope(content, now=self.now(), overrides=overrides or None)
        return requests.post(f"{self.url_of(to)}/api/bboss/orders", json=envelope, timeout=30).json()

    def callback(self, record: dict) -> requests.Response:
        """Posts a callback of BPM. Returns the response."""
        body = json.dumps(record, ensure_ascii=False).encode()
        signature = hmac.new(SECRETS["BPM_CALLBACK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        return requests.post(f"{self.web_url}/api/bpm/approvals", body, headers=headers, timeout=20)

    def show(self, number: str) -> dict:
        return json.loads(self.manage("show", number, "--json").stdout)

    def until_state(self, number: str, *states: str, seconds: float = 60) -> tuple[str, str]:
        """Waits until the order is in one of these states and has no step in progress. Returns its kind and state."""
        busy = "SELECT order_id FROM orders_dispatch WHERE state IN ('due', 'sending', 'retrying')"
        at_rest = f"SELECT kind, state FROM orders_order WHERE number = '{number}' AND id NOT IN ({busy})"

        def found():
            return next((row for row in self.rows(at_rest) if row[1] in states), None)

        return self.until(found, seconds=seconds, what=f"{number} is {' or '.join(states)}")

    def add_contact(self, contact: dict) -> None:
        """Adds a demo case's contact, a person who is responsible for an attribution."""
        fields = {"attribution_id" if name == "attribution" else name: value for name, value in contact.items()}
        create = f"from notifications.models import Contact; Contact.objects.create(**{fields!r})"
        self.manage("shell", "-v0", "-c", create)

    def add_files(self, names: list[str]) -> None:
        """Adds readable info-security files."""
        for name in names:
            write(self.folder / "attachments", name, book())

    def approve(self, number: str) -> None:
        """Makes the sandbox's BPM approve an order."""
        body = {"code": number, "result": "pass"}
        requests.post(f"{self.sandbox_url}/approve", json=body, timeout=30).raise_for_status()

    def partners(self) -> dict:
        return requests.get(f"{self.sandbox_url}/state", timeout=10).json()

    def sent(self, path: str) -> list[dict]:
        return [call["body"] for call in self.calls(path=path)]

    def calls(self, **wanted: str) -> list[dict]:
        """Returns the calls that the sandbox received, by `path` or `order`. Each has at, path, key, digest, body,
        status and more."""
        return requests.get(f"{self.sandbox_url}/calls", params=wanted, timeout=10).json()["calls"]

    def fault(self, **fault) -> None:
        requests.post(f"{self.sandbox_url}/faults", json=fault, timeout=10).raise_for_status()


@contextlib.contextmanager
def desk_upon(database: str, **settings: str) -> Iterator[tuple[ProcessDesk, PostgresCluster | None]]:
    """Yields (desk of processes, PostgreSQL server or None), and removes both. `database` is `sqlite` or
    `postgres`."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-processes-")))
        server = stack.enter_context(PostgresCluster()) if database == "postgres" else None
        yield stack.enter_context(ProcessDesk(folder, postgres=server.url if server else "", **settings)), server
