"""A reload through the link to the release in use loads the new code, and no call fails.

A release that can't start is noticed before the reload. The commands are those of deploy/ibs-web.service.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from project import __version__
from tests.bboss_messages import accepted
from tests.harness.children import ROOT
from tests.harness.desk import ProcessDesk
from tests.harness.login import log_in
from tests.processes.orders import trial
from tests.versions.releases import NEXT, make_releases

pytestmark = pytest.mark.versions
EXPANDED = NEXT[0]
APART = 0.05  # seconds between two calls of a caller, so that the machine has time for the reload too


class LinkedDesk(ProcessDesk):
    """A desk whose web process runs as its unit file says, through a link to one of several releases."""

    def __init__(self, folder: Path, releases: dict[str, Path], **more):
        self.releases = releases
        self.link = folder / "app"
        self.lead_to(__version__)
        super().__init__(folder, root=self.releases[__version__], **more)

    def lead_to(self, version: str) -> None:
        """Changes the link to another release in one step, as deploy/README.md says."""
        new = self.link.with_name("next")
        new.symlink_to(self.releases[version])
        new.rename(self.link)

    def unit_commands(self, key: str, name: str = "web") -> list[list[str]]:
        """Returns the commands of a key in a unit file, such as `ExecStart`, with this desk's folder and port."""
        unit = (ROOT / "deploy" / f"ibs-{name}.service").read_text(encoding="utf-8")
        words = {"/srv/ibs/app": str(self.link), "127.0.0.1:8000": f"127.0.0.1:{self.ports['web']}"}
        for old, new in words.items():
            unit = unit.replace(old, new)
        return [shlex.split(line) for line in re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)]

    def start_web(self) -> None:
        self.start_program("web", self.unit_commands("ExecStart")[0], cwd=self.link)
        self.until(lambda: requests.get(f"{self.web_url}/livez", timeout=2).ok)

    def reload(self, name: str) -> bool:
        """Acts like `systemctl reload ibs-NAME`: runs the commands in turn, and none after a command that fails.

        Returns True if no command failed.
        """
        os.environ["MAINPID"] = str(self.processes[name].pid)
        for words in self.unit_commands("ExecReload", name):
            command = [os.path.expandvars(word) for word in words]
            ended = subprocess.run(command, cwd=self.link, env=self.environment, check=False, capture_output=True)
            if ended.returncode:
                return False
        return True

    def workers(self) -> list[int]:
        """Returns the ids of the web's worker processes."""
        return [row.pid for row in self.alive() if row.parent == self.processes["web"].pid]

    def version(self) -> str:
        return requests.get(f"{self.web_url}/livez", timeout=10).headers["X-Version"]

    def until_only(self, version: str) -> None:
        """Waits until this version has answered forty times in a row, each time over a new connection."""
        self.until(lambda: {self.version() for _ in range(40)} == {version})

    @contextlib.contextmanager
    def posting(self, callers: int = 3) -> Iterator[list[str]]:
        """Posts orders all the time, each over a new connection. Yields the list of failed calls, which may grow."""
        failed, ends, numbers = [], threading.Event(), iter(range(1, 100_000))
        lock = threading.Lock()

        def post():
            while not ends.wait(APART):
                with lock:
                    number = next(numbers)
                try:
                    reply = self.post(trial(number))
                    if not accepted(reply):
                        failed.append(f"{number}: {reply}")
                except (requests.RequestException, ValueError) as error:
                    failed.append(f"{number}: {error!r}")

        threads = [threading.Thread(target=post) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield failed
        finally:
            ends.set()
            for thread in threads:
                thread.join()
            self.posted = next(numbers) - 1


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory, postgres):
    folder = tmp_path_factory.mktemp("desk")
    with LinkedDesk(folder, make_releases(folder / "releases"), postgres=postgres) as running:
        yield running


@pytest.fixture
def desk(shared_desk):
    """Yields a desk on which this checkout serves. Afterwards, makes this checkout serve again."""
    yield shared_desk
    old = set(shared_desk.workers())
    shared_desk.lead_to(__version__)
    assert shared_desk.reload("web")
    shared_desk.until(lambda: not old & set(shared_desk.workers()))  # a later test changes the link again
    shared_desk.until_only(__version__)


def test_an_upgrade_and_the_way_back_fail_no_call(desk):
    with desk.posting() as failed:
        desk.until_only(__version__)
        desk.manage("migrate", "-v0", root=desk.releases[EXPANDED])
        desk.lead_to(EXPANDED)
        desk.until_only(__version__)  # changing only the link has no effect
        assert desk.reload("web")
        desk.until_only(EXPANDED)
        desk.lead_to(__version__)
        assert desk.reload("web")
        desk.until_only(__version__)
    assert failed == []
    assert desk.posted > 20
    assert desk.rows("SELECT count(*) FROM orders_order")[0][0] == desk.posted
    assert "Traceback" not in desk.log("web"), desk.log("web")


def test_the_old_code_serves_until_the_new_has_loaded(desk, tmp_path):
    """The old code serves until the new code has been loaded.

    On a busy machine, loading took longer than the 10 s after which nginx answers BBOSS 503.
    """
    may_load, old = tmp_path / "may-load", set(desk.workers())
    wait = f"import os, time\nwhile not os.path.exists({str(may_load)!r}):\n    time.sleep(0.05)\n"
    with changed(desk.releases[EXPANDED] / "project" / "wsgi.py", wait):
        desk.lead_to(EXPANDED)
        try:
            os.kill(desk.processes["web"].pid, signal.SIGHUP)  # a reload's checks would wait too
            desk.until(lambda: set(desk.workers()) - old)
            time.sleep(1)  # enough time to end the old processes
            assert {desk.version() for _ in range(20)} == {__version__}
        finally:
            may_load.touch()
        desk.until_only(EXPANDED)


def broken(file: Path) -> contextlib.AbstractContextManager[None]:
    """Makes a module fail at its import until the end of the block."""
    return changed(file, "import nothing_of_this_name\n")


@contextlib.contextmanager
def changed(file: Path, first: str) -> Iterator[None]:
    """Adds code at the beginning of a module until the end of the block."""
    text = file.read_text(encoding="utf-8")
    file.write_text(first + text, encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def test_a_release_that_cannot_start_replaces_nothing(desk):
    desk.lead_to(EXPANDED)
    for module in ("wsgi", "urls", "settings"):
        with broken(desk.releases[EXPANDED] / "project" / f"{module}.py"):
            assert not desk.reload("web"), module
            desk.until_only(__version__)


def test_a_process_takes_nothing_of_another_release(desk):
    """The old processes serve until the reload, with the old release's code.

    This is also true of modules that they load for the first time.
    """
    with broken(desk.releases[EXPANDED] / "project" / "accounts" / "login_throttle.py"):  # loaded by the first log-in
        desk.lead_to(EXPANDED)
        answers = [log_in(requests.Session(), desk.web_url, f"nobody{number}", "wrong") for number in range(12)]
    assert {answer.status_code for answer in answers} == {200}


def test_a_worker_process_that_died_is_replaced_by_the_release_that_the_link_leads_to(desk):
    """A web process that dies is replaced by a process of the release to which the link leads.

    All code of a process is of one release.
    """
    desk.lead_to(EXPANDED)
    for pid in desk.workers():
        os.kill(pid, signal.SIGKILL)
    desk.until_only(EXPANDED)
