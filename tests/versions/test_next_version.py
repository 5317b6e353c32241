"""Code of one version works on the schema of the version before and of the version after.

One desk goes through three made-up next versions (tests/versions/releases.py). Intake, pages and delivery are checked
at each step. The web process and the worker stay up while the schema changes. They are replaced by those of another
version while the schema stays as it is.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from project import __version__
from tests.harness.desk import ProcessDesk
from tests.harness.login import log_in
from tests.processes.orders import activation, post_all, trial
from tests.versions.releases import NEXT, make_releases

pytestmark = pytest.mark.versions
EXPANDED, MIGRATED, CONTRACTED = NEXT
PASSWORD = "for-this-desk-only"
PAGES = ["", "orders/order/", "orders/billingrecord/", "orders/dispatch/", "orders/inboundmessage/", "orders/incident/"]


class Story:
    """A desk whose code and schema change one after the other, with checks in between."""

    def __init__(self, desk: ProcessDesk, releases: dict):
        self.desk, self.releases = desk, releases
        self.number = 0
        words = ["createsuperuser", "--noinput", "--username", "staff", "--email", "staff@example.com"]
        self.desk.settings |= {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        self.desk.manage(*words)

    def migrate(self, version: str) -> None:
        """Migrates the schema to this version. The processes stay as they are."""
        self.desk.manage("migrate", "-v0", root=self.releases[version])

    def run(self, version: str) -> None:
        """Replaces web and worker by processes of this version. The schema stays as it is."""
        self.take_over(self.releases[version])
        assert requests.get(f"{self.desk.web_url}/livez", timeout=10).headers["X-Version"] == version

    def take_over(self, root: Path) -> None:
        for name in ("worker", "web"):
            if name in self.desk.processes:
                self.desk.stop(name)
        self.desk.root = root
        self.desk.start_web()
        self.desk.start_worker()

    def play(self) -> None:
        """Sends a trial, its activation and another trial, and waits until all are carried out.

        Then opens the pages that show them to staff.
        """
        self.number += 1
        number = self.number
        post_all(self.desk, [trial(number), activation(number)])
        self.desk.until_state(f"100A{number:04d}", "active", seconds=120)
        post_all(self.desk, [trial(number + 500)])
        self.desk.until_state(f"100T{number + 500:04d}", "trialing", seconds=120)
        alike = self.desk.rows("SELECT max(id) FROM orders_order GROUP BY kind, state, held_because")
        self.open_pages([*PAGES, *(f"orders/order/{pk}/change/" for (pk,) in alike)])

    def open_pages(self, pages: list[str]) -> None:
        """Logs in as staff, and asserts that these pages of the admin open."""
        with requests.Session() as browser:
            log_in(browser, self.desk.web_url, "staff", PASSWORD)
            answers = {page: browser.get(f"{self.desk.web_url}/admin/{page}", timeout=60) for page in pages}
        assert {page: answer.status_code for page, answer in answers.items() if answer.status_code != 200} == {}
        assert all("/logout/" in answer.text for answer in answers.values())

    def find(self, number: str) -> None:
        """Waits until staff find the order by a search for a part of its number."""
        with requests.Session() as browser:
            log_in(browser, self.desk.web_url, "staff", PASSWORD)
            address = f"{self.desk.web_url}/admin/find/?part=&q={number[1:]}"
            self.desk.until(lambda: f">{number}<" in browser.get(address, timeout=60).text, seconds=60, what=number)

    def readiness(self) -> dict:
        return requests.get(f"{self.desk.web_url}/readyz", timeout=10).json()


@pytest.fixture
def story(tmp_path, postgres) -> Iterator[Story]:
    releases = make_releases(tmp_path / "releases")
    with ProcessDesk(tmp_path, postgres=postgres, root=releases[__version__]) as desk:
        yield Story(desk, releases)


def columns(desk: ProcessDesk) -> set[str]:
    """Returns the names of the columns of the orders' table."""
    if desk.postgres:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders_order'"
    else:
        query = "SELECT name FROM pragma_table_info('orders_order')"
    return {name for (name,) in desk.rows(query)}


def test_each_version_works_on_the_schema_of_its_neighbours(story):
    story.run(__version__)
    story.play()

    story.migrate(EXPANDED)  # old code, new schema
    assert {"source", "data_flow"} <= columns(story.desk)
    story.play()
    assert story.readiness()["reasons"] == []  # a migration that this code does not know is no reason

    story.run(MIGRATED)  # new code, old schema
    story.play()
    assert story.readiness()["reasons"] == ["migrations are not applied"]  # /readyz says so, but orders are accepted

    story.run(EXPANDED)  # back to the old code, on data that the new code wrote
    story.play()

    story.run(MIGRATED)
    story.migrate(CONTRACTED)  # old code, new schema
    assert "data_flow" not in columns(story.desk)
    story.play()
    assert story.readiness()["reasons"] == []

    sources = dict(story.desk.rows("SELECT number, source FROM orders_order WHERE number LIKE '100T0%'"))
    assert sources["100T0002"] == ""  # the database's default: this code does not know the column
    assert sources["100T0003"] == "bboss"
    assert "Traceback" not in story.desk.all_logs()
