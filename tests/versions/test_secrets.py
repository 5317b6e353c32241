"""Secrets change while calls come in, by the lines of docs/operations.md ("Change a secret"). No call is refused.

Web and worker run and are reloaded as their units say: at their start, the file's values are in the environment.
"""

import contextlib
import json
import os
import re
import signal
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from integrations.bboss import compute_signature
from integrations.bboss.sample_envelope import signed_envelope
from integrations.bpm.callback_signature import sign
from project import __version__
from project.base.settings_table import TABLE
from tests.bboss_messages import accepted
from tests.bpm_messages import approval
from tests.harness.children import ROOT
from tests.harness.clusters import ROLE, PostgresCluster
from tests.harness.desk import SECRETS
from tests.harness.login import log_in
from tests.harness.proc import kill
from tests.processes.orders import trial
from tests.versions.releases import copy_release
from tests.versions.test_reload import LinkedDesk

pytestmark = pytest.mark.versions
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OLD_TOKEN, NEW_TOKEN = f"20991231235959{'a' * 32}-1234-1700000000", f"20991231235959{'c' * 32}-1234-1800000000"
NEW = {"BBOSS_APP_SECRET": "app-2", "BBOSS_ACCESS_TOKENS": NEW_TOKEN, "BPM_CALLBACK_SECRET": "bpm-2"}
APART = 0.2  # seconds between two calls of a caller, so that the machine has time for the reload too
HBA = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


def block(heading: str) -> str:
    """Returns the lines of the page that change this secret."""
    section = PAGE[PAGE.index("## Change a secret") :]
    return section[section.index(f"\n**{heading}") :].split("```")[1]


def changes(heading: str, old: str, new: str) -> list[dict[str, str]]:
    """Returns the settings to write into the file at each `change` line of the page."""
    lines = re.findall(r"^change +# (.*)$", block(heading), re.MULTILINE)
    given = [dict(word.split("=", 1) for word in line.split()) for line in lines]
    return [{name: text.replace("OLD", old).replace("NEW", new) for name, text in row.items()} for row in given]


class ChangingDesk(LinkedDesk):
    """A desk whose settings are in the `.env` of its only release, and nowhere else.

    `uses` has the secrets by which BBOSS and BPM sign.
    """

    def __init__(self, folder: Path, **more):
        super().__init__(folder, {__version__: copy_release(folder / "releases" / __version__)}, **more)
        self.values: dict[str, str] = {}
        self.uses = {name: SECRETS[name] for name in NEW}

    @property
    def environment(self) -> dict[str, str]:
        """Returns the environment that systemd makes for a process, from the present content of the file."""
        found = super().environment
        if not self.values:
            self.write({name: found[name] for name in TABLE if name in found})
        return {name: value for name, value in found.items() if name not in TABLE} | self.values

    def write(self, values: dict[str, str], *more: str) -> None:
        """Writes these values and the lines `more` into the file."""
        self.values |= values
        lines = [*(f"{name}={value}" for name, value in self.values.items()), *more]
        (self.root / ".env").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def start_worker(self, name: str = "worker", **how):
        self.start_program(name, self.unit_commands("ExecStart", "worker")[0], cwd=self.link)
        self.until(lambda: self.heartbeats(), what="the worker works")

    def change(self, values: dict[str, str]) -> None:
        """Acts like `change` of the page, and waits until no process with the old values is left."""
        web, clusters = set(self.workers()), self.heartbeats()
        self.write(values)
        assert self.reload("web"), self.logs()
        assert self.reload("worker"), self.logs()
        self.until(lambda: not web & set(self.workers()), what="new web processes")
        self.until(lambda: self.heartbeats() - clusters, what="a new cluster")

    def cluster_name(self) -> str:
        newest = "SELECT cluster FROM integrations_heartbeat ORDER BY seen_at DESC LIMIT 1"
        return self.rows(newest)[0][0]

    def answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.web_url}/livez", timeout=2).ok
        return False

    def last_used(self) -> dict[str, str | None]:
        """Returns {setting and number: the time when this old secret was last used}."""
        found = json.loads(self.manage("status", "--json", check=False).stdout)
        return {f"{row['setting']} {row['number']}": row["last_used"] for row in found["old_secrets"]}

    # --- who calls

    def order(self, number: int) -> bool:
        """Returns True if BBOSS's order is accepted."""
        token, secret = self.uses["BBOSS_ACCESS_TOKENS"], self.uses["BBOSS_APP_SECRET"]
        members = signed_envelope(trial(number), now=self.now(), overrides={"accessToken": token})
        members["sign"] = compute_signature.sign(members, secret)
        return accepted(requests.post(f"{self.web_url}/api/bboss/orders", json=members, timeout=30).json())

    def approval(self, number: int) -> bool:
        """Returns True if BPM's record about the first order is accepted."""
        body = json.dumps(approval("100T0000", recordId=f"bpm-{number}-{uuid.uuid4().hex[:6]}")).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, self.uses["BPM_CALLBACK_SECRET"])}
        return requests.post(f"{self.web_url}/api/bpm/approvals", body, headers=headers, timeout=30).ok

    def log_in(self) -> Callable[[int], bool]:
        """Logs somebody in. Returns a function that requests a page, and returns True if the page came."""
        make = "from project.models import User; User.objects.create_superuser('wang', password='right')"
        self.manage("shell", "-v0", "-c", make)
        browser = requests.Session()
        assert log_in(browser, self.web_url, "wang", "right").ok
        cookies = browser.cookies.get_dict()

        def page(number: int) -> bool:
            with requests.Session() as tab:  # a new connection for each call; several calls run at once
                tab.cookies.update(cookies)
                return tab.get(f"{self.web_url}/admin/", timeout=30, allow_redirects=False).status_code == 200

        return page

    @contextlib.contextmanager
    def traffic(self, **callers: Callable[[int], bool]) -> Iterator[dict[str, list[str]]]:
        """Makes these calls all the time. Yields {caller: its refused calls}. `done` counts the calls by caller."""
        refused, ends = defaultdict(list), threading.Event()
        self.done = dict.fromkeys(callers, 0)

        def go_on(name: str, call: Callable[[int], bool]) -> None:
            while not ends.wait(APART):
                self.done[name] += 1
                try:
                    if not call(self.done[name]):
                        refused[name].append(f"{self.done[name]} at {time.time():.2f}")
                except (requests.RequestException, ValueError) as error:
                    refused[name].append(f"{self.done[name]}: {error!r}")

        threads = [threading.Thread(target=go_on, args=item) for item in callers.items()]
        for thread in threads:
            thread.start()
        try:
            yield refused
        finally:
            ends.set()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="module")
def desk(tmp_path_factory, postgres):
    """Yields a running desk. On PostgreSQL, it has a separate server that asks for passwords."""
    with contextlib.ExitStack() as stack:
        more = {}
        if postgres:
            server = stack.enter_context(PostgresCluster())
            server.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'password-1'")
            for statement in (f"ALTER SCHEMA public OWNER TO {ROLE}", "CREATE EXTENSION pg_trgm"):
                server.sql(statement, name="template1")
            (server.data / "pg_hba.conf").write_text(HBA)
            server.sql("SELECT pg_reload_conf()")
            through = f"postgres://{ROLE}:password-1@127.0.0.1:{server.port}/postgres"
            more = {"postgres": server.url, "through": through}
        running = stack.enter_context(ChangingDesk(tmp_path_factory.mktemp("desk"), **more))
        running.start_worker()
        yield running


def as_written(desk: ChangingDesk, rounds: list[dict[str, str]]) -> None:
    """Changes the database's password by the lines of the page.

    Runs the statements before the `change` line now, and adds the values of `change` to the first round.
    """
    for statement in re.findall(r"""-c (["'])(.*?)\1""", block("The database's password").partition("\nchange")[0]):
        role = statement[1].removeprefix(r"\password ")
        desk.sql(statement[1] if role == statement[1] else f"ALTER ROLE {role} PASSWORD 'password-2'")
    (change,) = changes("The database's password", "", "password-2")
    who = urlsplit(change["DATABASE_URL"]).netloc.rpartition("@")[0]
    now = urlsplit(desk.values["DATABASE_URL"])
    rounds[0]["DATABASE_URL"] = now._replace(netloc=f"{who}@{now.hostname}:{now.port}").geturl()


def test_each_secret_changes_under_traffic_and_no_call_is_refused(desk):
    """Each secret changes while calls come in, and no call is refused.

    One secret after the other would take minutes. So the first changes of all secrets are made together, then the
    middle ones, then the last ones.
    """
    rounds: list[dict[str, str]] = [{}, {}, {}]
    for heading, name in {
        "BBOSS's app secret": "BBOSS_APP_SECRET",
        "BBOSS's access token": "BBOSS_ACCESS_TOKENS",
        "BPM's secret": "BPM_CALLBACK_SECRET",
    }.items():
        first, last = changes(heading, SECRETS[name], NEW[name])
        rounds[0] |= first
        rounds[2] |= last
    for number, change in enumerate(changes("SECRET_KEY", SECRETS["SECRET_KEY"], "key-2")):
        rounds[number] |= change
    if desk.postgres:
        as_written(desk, rounds)
    assert desk.order(0)
    page = desk.log_in()
    with desk.traffic(bboss=desk.order, bpm=desk.approval, staff=page, neighbour=page) as refused:
        desk.change(rounds[0])
        assert desk.last_used()["BBOSS_APP_SECRETS_OLD 1"] is not None
        desk.uses = dict(NEW)  # BBOSS and BPM use the new secrets from now on
        desk.change(rounds[1])
        if desk.postgres:
            assert desk.rows(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'") == [(0,)]
            desk.sql("ALTER ROLE ibs PASSWORD NULL")
        desk.until(lambda: desk.last_used()["SECRET_KEY_FALLBACKS 1"], what="somebody came with an old session")
        desk.change(rounds[2])
    assert dict(refused) == {}
    assert min(desk.done.values()) > 20
    assert desk.last_used() == {}
    posted = desk.rows("SELECT count(*) FROM orders_order")[0][0]
    assert posted == desk.done["bboss"] + 1
    assert desk.rows("SELECT count(*) FROM approvals_approvalrecord")[0][0] == desk.done["bpm"]
    delivered = "SELECT count(*) FROM orders_order WHERE state = 'trialing'"
    desk.until(lambda: desk.rows(delivered)[0][0] == posted, what="all orders are delivered")
    assert "BadSignature" not in desk.all_logs()


def test_a_broken_file_changes_nothing_and_is_named(desk):
    """A broken settings file changes nothing, and is named in the logs and by `status`.

    Neither a reload nor a SIGHUP uses its values. A process that dies is replaced by one with the values in force.
    tests/test_checks.py has the reasons for which a file counts as broken.
    """
    web, cluster = set(desk.workers()), desk.cluster_name()
    desk.write({"BBOSS_APP_SECRET": "never-in-force", "DATABASE_URL": "postgres://nobody@127.0.0.1:9/ibs"})
    assert not desk.reload("web")
    assert not desk.reload("worker")
    for name in ("web", "worker"):  # SIGHUP alone, without the check of the file that a reload makes first
        os.kill(desk.processes[name].pid, signal.SIGHUP)
    desk.until(lambda: "the new settings were not taken" in desk.log("web"))
    desk.until(lambda: "the worker goes on as it is" in desk.log("worker"))
    desk.until(lambda: not web & set(desk.workers()))
    kill(*desk.workers())
    desk.until(desk.answers)
    assert desk.order(9999)
    assert desk.cluster_name() == cluster
    assert "DATABASE_URL: the database does not answer" in desk.log("web")
    assert "DATABASE_URL: the database does not answer" in desk.log("worker")
    told = desk.manage("status", check=False)
    assert (told.returncode, "the database does not answer" in told.stdout + told.stderr) == (1, True)
