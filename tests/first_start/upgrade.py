"""The second half of the walk: the desk is upgraded to a made-up next version, and goes back.

Meanwhile orders come in over HTTPS.
"""

import contextlib
import datetime
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from django.conf import settings

from integrations.bboss.sample_envelope import signed_envelope
from integrations.partners.profile import read_profile
from project import __version__
from tests.bboss_messages import accepted
from tests.first_start.lines import ROOT, Place, WalkError, upgrade_lines, way_back_lines
from tests.processes.orders import trial
from tests.versions.releases import add_expansion

NEXT = "1.1.1"  # the version that deploy/README.md names
BRANCH = "walked"
CALLERS = 3
# Seconds between a caller's orders. BBOSS_RATE accepts 100 orders a second from one address, and all callers share
# one.
PAUSE = 0.1
TAKEN_OVER_WITHIN = 60


def make_repository(folder: Path) -> Path:
    """Creates a bare repository of what is committed here. Its default branch is BRANCH."""
    repository = folder / "repository.git"
    _git("clone", "--quiet", "--bare", str(ROOT), str(repository))
    _git("-C", str(repository), "branch", "--force", BRANCH, "HEAD")
    _git("-C", str(repository), "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    return repository


def publish_next_version(repository: Path) -> None:
    """Adds a made-up next version to the default branch. This version adds a column."""
    next_version = repository.with_name("next-version")
    _git("clone", "--quiet", str(repository), str(next_version))
    add_expansion(next_version, NEXT)
    person = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    _git("-C", str(next_version), "add", "--all")
    _git("-C", str(next_version), *person, "commit", "--quiet", "--message", "A made-up next version")
    _git("-C", str(next_version), "push", "--quiet", "origin", BRANCH)


def _git(*words: str) -> None:
    subprocess.run(["git", "-c", "safe.directory=*", *words], check=True)


def upgrade(place: Place, type_line: Callable) -> None:
    """Types the lines of deploy/README.md for a new version, and then those for the way back. Raises WalkError."""
    publish_next_version(place.repository)
    callers = Callers(place)
    with callers:
        for lines, version in ((upgrade_lines(), NEXT), (way_back_lines(), __version__)):
            folder = place.folder  # the first line is typed here, and changes to the new checkout
            for line in lines:
                print(f"\n[to {version}] {line}", flush=True)
                type_line(place.put_in(line), place, cwd=folder)
                if "git clone" in line:
                    folder = place.folder / "srv/ibs/releases" / version
            callers.until_answered_by(version)
            check_libraries(place, version)
    if callers.failed:
        raise WalkError(f"{len(callers.failed)} of {callers.posted} calls failed, the first: {callers.failed[0]}")
    print(f"{callers.posted} orders came in meanwhile, over a new connection each, and every one was accepted")


def check_libraries(place: Place, version: str) -> None:
    """Waits until the web's worker processes have loaded compiled libraries of this version only.

    Old processes may still be ending at first. Raises WalkError after TAKEN_OVER_WITHIN seconds.
    """
    until = time.monotonic() + TAKEN_OVER_WITHIN
    while (found := loaded(place)) != {version}:
        if time.monotonic() > until:
            raise WalkError(f"{version} runs with the libraries of {found}")
        time.sleep(0.2)


def loaded(place: Place) -> set[str]:
    """Returns the versions whose compiled libraries the web's worker processes have in memory."""
    mains = ",".join((place.folder / f"ibs-{name}.pid").read_text().strip() for name in ("intake", "web"))
    workers = subprocess.run(["pgrep", "-P", mains], capture_output=True, text=True, check=True).stdout.split()
    maps = ""
    for worker in workers:
        with contextlib.suppress(OSError):  # the process has ended in the meantime
            maps += Path(f"/proc/{worker}/maps").read_text()
    return set(re.findall(r"/releases/([^/]+)/venv/", maps))


class Callers:
    """BBOSS: posts orders all the time from several threads, each order over a new HTTPS connection."""

    def __init__(self, place: Place):
        self.place, self.failed, self.posted = place, [], 0
        self.ends, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._post_all) for _ in range(CALLERS)]
        text = (place.folder / "etc/ibs/ibs.env").read_text(encoding="utf-8")
        given = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
        settings.configure(  # the settings that signing reads
            BBOSS_APP_SECRET=given["BBOSS_APP_SECRET"],
            BBOSS_ACCESS_TOKENS=given["BBOSS_ACCESS_TOKENS"].split(","),
            BBOSS_ENV_FLAG=given["BBOSS_ENV_FLAG"],
            BBOSS_DOMAIN="CDNP",
            BBOSS_ROUTE_VALUE="995",
            BBOSS_PARTY_IDS=["BBSS9980"],
            PARTNERS=read_profile(""),
            USE_TZ=True,
            TIME_ZONE="Asia/Shanghai",
        )

    def __enter__(self) -> "Callers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc) -> None:
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def _post_all(self) -> None:
        while not self.ends.wait(PAUSE):
            with self.lock:
                self.posted += 1
                number = 1000 + self.posted
            try:
                reply = self._post(trial(number))
                if not accepted(reply):
                    self.failed.append(f"{number}: {reply}")
            except (requests.RequestException, ValueError) as error:
                self.failed.append(f"{number}: {error!r}")

    def _post(self, content: dict) -> dict:
        envelope = signed_envelope(content, now=datetime.datetime.now(datetime.UTC))
        address = f"https://localhost:{self.place.https}/api/bboss/orders"
        with self._session() as session:
            return session.post(address, json=envelope, timeout=60).json()

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.place.folder / "etc/ssl/ibs/fullchain.pem")
        return session

    def until_answered_by(self, version: str) -> None:
        """Waits until each service answers forty times in a row with this version. Raises WalkError."""
        until, found = time.monotonic() + TAKEN_OVER_WITHIN, set()
        addresses = [f"http://127.0.0.1:{port}/livez" for port in (self.place.intake, self.place.web)] * 40
        while time.monotonic() < until:
            with self._session() as session:
                found = {session.get(address, timeout=30).headers["X-Version"] for address in addresses}
            if found == {version}:
                print(f"{version} serves")
                return
            time.sleep(0.5)
        raise WalkError(f"not {version} serves but {found}")
