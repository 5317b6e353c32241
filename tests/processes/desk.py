"""A whole desk of real processes: sandbox, web (gunicorn), worker; on a database of its own, with its own clock."""

import contextlib
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from urllib.parse import urlsplit

import psycopg
import requests

from integrations.bboss.sign import signed_envelope
from tests.processes.proc import Cluster, processes_of

ROOT = pathlib.Path(__file__).parent.parent.parent
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
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class ProcessDesk:
    """`with ProcessDesk(folder, postgres="" or a server's URL, clock="...") as desk:`

    `through` is the URL that its processes have in place of the server's: of a relay or a pooler, say. `root` is the
    checkout whose code they run; it may be changed between them.
    """

    def __init__(
        self, folder: pathlib.Path, *, postgres: str = "", through: str = "", clock: str = "",
        root: pathlib.Path = ROOT, **settings: str,
    ):  # fmt: skip
        self.folder, self.postgres, self.through, self.settings = folder, postgres, through or postgres, settings
        self.root = root
        self.clock_file = folder / "clock" if clock else None
        self.processes: dict[str, subprocess.Popen] = {}
        self.ports = {"sandbox": free_port(), "web": free_port(), "intake": free_port()}
        if clock:
            self.at(clock)

    def __enter__(self) -> "ProcessDesk":
        self.name = f"desk_p_{uuid.uuid4().hex[:10]}"
        if self.postgres:
            self.sql(f"CREATE DATABASE {self.name}")
        (self.folder / "attachments").mkdir(exist_ok=True)
        self.manage("migrate", "-v0")
        self.start_sandbox()
        self.start_web()
        return self

    def __exit__(self, *exc):
        for name in list(self.processes):
            self.stop(name)
        left = self.alive()
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if self.postgres:
            self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")
        assert not left, f"left behind: {left}\n{self.logs()}"

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(statement)

    def rows(self, statement: str) -> list[tuple]:
        """What a SELECT upon the desk's database gives."""
        if self.postgres:
            with psycopg.connect(self._url(self.postgres), autocommit=True) as connection:
                return connection.execute(statement).fetchall()
        with contextlib.closing(sqlite3.connect(self.folder / "desk.sqlite3", timeout=20)) as connection:
            return connection.execute(statement).fetchall()

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
            "STATE_DIR": str(self.folder / "state"),
            "BPM_BASE_URL": f"{self.sandbox_url}/bpm",
            "BIGDATA_BASE_URL": f"{self.sandbox_url}/bigdata",
            "PYTHONUNBUFFERED": "1",
            "TEST_DESK": self.name,
        }
        if self.clock_file:
            mine |= {"TEST_CLOCK_FILE": str(self.clock_file), "PYTHONPATH": str(ROOT / "tests" / "clock_site")}
        return os.environ | SECRETS | mine | self.settings

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    @property
    def web_url(self) -> str:
        return self.url_of("web")

    def url_of(self, name: str) -> str:
        """Of one of its web processes."""
        return f"http://127.0.0.1:{self.ports[name]}"

    # --- the clock

    def at(self, text: str) -> None:
        """Sets the processes' clock: ISO with zone, or `+SECONDS` ahead of the real one."""
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

    def manage(
        self, *words: str, check: bool = True, timeout: float = 120, root: pathlib.Path | None = None
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=root or self.root, env=self.environment, check=check, timeout=timeout, capture_output=True, text=True,
        )  # fmt: skip

    def start(self, name: str, *words: str, **more) -> subprocess.Popen:
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115  the process keeps it
        self.processes[name] = subprocess.Popen(
            [sys.executable, *words], cwd=self.root, env=self.environment | more, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()
        return self.processes[name]

    def start_sandbox(self) -> None:
        self.start(
            "sandbox",
            "manage.py",
            "sandbox",
            "--port",
            str(self.ports["sandbox"]),
            "--state",
            str(self.folder / "partners.sqlite3"),
        )
        self.until(lambda: requests.get(f"{self.sandbox_url}/state", timeout=2).ok)

    def start_web(self, name: str = "web") -> None:
        """gunicorn, as `web`; or another one beside it, such as `intake`."""
        self.ports.setdefault(name, free_port())
        address = f"127.0.0.1:{self.ports[name]}"
        words = ["-m", "gunicorn", "project.wsgi", "-w", "2", "--threads", "4", "-b", address, "--no-control-socket"]
        self.start(name, *words)
        self.until(lambda: requests.get(f"http://{address}/livez", timeout=2).ok)

    def start_worker(self, name: str = "worker", *, ping_every: float = 15, patience: float = 60) -> subprocess.Popen:
        self.worker_since = datetime.datetime.now(datetime.UTC)
        words = ["--ping-every", str(ping_every), "--patience", str(patience)]
        return self.start(name, "manage.py", "worker", *words)

    def alive(self) -> list:
        """All living processes of this desk, wherever they belong by now."""
        return processes_of(f"TEST_DESK={self.name}")

    def cluster(self, name: str = "worker") -> Cluster:
        """The parts of the worker's cluster, as soon as it is complete and has answered its watchdog."""

        def complete():
            with contextlib.suppress(ValueError, OSError):  # not all are there yet, or not any more
                found = Cluster(f"TEST_DESK={self.name}", self.processes[name].pid)
                answered = found.name in self.heartbeats(since=self.worker_since)
                return found if len(found.workers) == 2 and answered else None

        return self.until(complete, seconds=120)

    def heartbeats(self, since: datetime.datetime = datetime.datetime(2000, 1, 1)) -> set[str]:
        """The names of the clusters that gave a sign of life since then (UTC)."""
        moment = f"{since:%Y-%m-%d %H:%M:%S.%f}" + ("+00" if self.postgres else "")
        return {name for (name,) in self.rows(f"SELECT cluster FROM integrations_heartbeat WHERE seen_at > '{moment}'")}

    def replacements(self) -> int:
        """How often a cluster was replaced, by the events."""
        return self.rows("SELECT count(*) FROM orders_orderevent WHERE kind = 'cluster_replaced'")[0][0]

    def stop(self, name: str) -> int:
        """SIGTERM, and SIGKILL to what is left of its session after half a minute."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def kill(self, name: str) -> None:
        """SIGKILL to one process and its process group."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def until(self, true, *, seconds: float = 60, every: float = 0.05):
        """Waits until `true()` is; a request that fails is no yet."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                last = true()
                if last:
                    return last
            except requests.RequestException as error:
                last = error
            time.sleep(every)
        raise AssertionError(f"not within {seconds} s; last: {last!r}\n{self.logs()}")

    def logs(self) -> str:
        """The ends of all logs, for a failure's report."""
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in self._logs())

    def all_logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self._logs())

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _logs(self) -> list[pathlib.Path]:
        return sorted(self.folder.glob("*.log"))

    # --- what one does with it

    def post(self, content: dict, **overrides) -> dict:
        envelope = signed_envelope(content, now=self.now(), overrides=overrides or None)
        return requests.post(f"{self.web_url}/api/bboss/orders", json=envelope, timeout=30).json()

    def callback(self, record: dict) -> requests.Response:
        """BPM tells what its people decided."""
        body = json.dumps(record, ensure_ascii=False).encode()
        signature = hmac.new(SECRETS["BPM_CALLBACK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        return requests.post(f"{self.web_url}/api/bpm/approvals", body, headers=headers, timeout=20)

    def show(self, number: str) -> dict:
        return json.loads(self.manage("show", number, "--json").stdout)

    def until_state(self, number: str, *states: str, seconds: float = 60) -> dict:
        """Waits until the order is in one of these states and none of its steps is under way."""

        def there():
            found = self.show(number)
            busy = [step for step in found["steps"] if step["status"] in {"due", "sending", "retrying"}]
            return found if found["state"] in states and not busy else None

        return self.until(there, seconds=seconds, every=0.2)

    def partners(self) -> dict:
        return requests.get(f"{self.sandbox_url}/state", timeout=10).json()

    def sent(self, path: str) -> list[dict]:
        return [call["body"] for call in self.calls(path=path)]

    def calls(self, **wanted: str) -> list[dict]:
        """The calls that the sandbox saw: at, path, key, digest, body, status and more; by `path` or `order`."""
        return requests.get(f"{self.sandbox_url}/calls", params=wanted, timeout=10).json()["calls"]

    def fault(self, **fault) -> None:
        requests.post(f"{self.sandbox_url}/faults", json=fault, timeout=10).raise_for_status()
