"""A desk behind PgBouncer under load: all pages, the commands that read, and a restart of the pooler."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from django.contrib import admin
from django.urls import reverse

from tests.drills.drill import SLACK, Found, Logs, wait_for_it
from tests.drills.stage import Stage
from tests.harness.commands import Commands
from tests.harness.login import log_in

USER, PASSWORD = "drill", "a-Long-1-for-drills"  # noqa: S105  of a desk that lives for minutes
LINK = re.compile(r'(?:href|action)="([^"#]+)')
LEFT_OUT = ("logout", "jsi18n", "password_change")


class Pages:
    """A logged-in person who opens one page of every shape that the site links to. Numbers in an address do not matter
    for its shape."""

    def __init__(self, url: str):
        self.url, self.session = url, requests.Session()
        self.session.trust_env = False
        self.answers: list[tuple[float, float, int, str]] = []  # began, ended, status, path
        self.shapes: set[tuple[str, str]] = set()

    def log_in(self) -> None:
        home = log_in(self.session, self.url, USER, PASSWORD)
        if "/logout/" not in home.text:
            raise AssertionError(f"the log-in did not work: {home.status_code}")

    def open_all(self) -> None:
        """Opens all lists, and all pages that they link to, until there are no new shapes."""
        lists = [
            reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_changelist") for one in admin.site._registry
        ]
        waiting = ["/admin/", "/api/docs", "/api/schema", "/metrics", "/readyz", *lists]
        while waiting:
            path = waiting.pop(0)
            if (shape := shape_of(path)) not in self.shapes:
                self.shapes.add(shape)
                waiting += self.links(path, self.open(path))

    def open(self, path: str) -> str:
        """Opens a page and returns its text. The text is empty if the answer is no HTML page."""
        began, status, text = time.monotonic(), 0, ""
        with contextlib.suppress(requests.RequestException):
            response = self.session.get(self.url + path, timeout=40)
            status = response.status_code
            text = response.text if "html" in response.headers.get("Content-Type", "") else ""
        self.answers.append((began, time.monotonic(), status, path))
        return text

    def links(self, path: str, text: str) -> Iterator[str]:
        for link in LINK.findall(text):
            there = urlsplit(urljoin(path, link.replace("&amp;", "&")))
            if not there.netloc and there.path.startswith("/admin/") and not any(w in there.path for w in LEFT_OUT):
                yield there._replace(fragment="").geturl()


def shape_of(path: str) -> tuple[str, str]:
    """Returns the shape of an address. `/admin/orders/order/12/change/?q=1` has the shape
    (`/admin/orders/order/#/change/`, `q`) for every row.

    If the query has several names, only the last one is used, because there are too many combinations.
    """
    there = urlsplit(path)
    site, *rest = re.match(r"(/admin/[^/]+/[^/]+/|)(.*)", there.path).groups()
    names = [name for name, _ in parse_qsl(there.query, keep_blank_values=True)]
    return site + re.sub(r"^(?!add/)[^/]+/", "#/", rest[0]) if site else there.path, names[-1] if names else ""


def play_pooler(stage: Stage, prepared: int, *, seconds: float) -> Found:
    """Plays at least so many seconds of load. Meanwhile all pages and all reading commands run, and the pooler
    restarts."""
    found, logs = Found(), Logs(stage.desk)
    restarts = []
    if stage.pooler.prepared != prepared:
        restarts.append(restart(stage, prepared))
    began, before = time.monotonic(), len(stage.server_logs())
    number = first_order(stage)
    _superuser(stage)
    pages = Pages(stage.desk.url_of("web-2"))
    pages.log_in()
    reader = threading.Thread(target=pages.open_all, daemon=True)
    reader.start()
    run_commands(found, stage, number)
    wait_for_it(lambda: not reader.is_alive(), 300)
    restarts.append(restart(stage, prepared))
    pages.shapes.clear()
    for model in ("orders_order", "orders_billingrecord", "orders_incident", "django_q_schedule"):
        pages.open(reverse(f"admin:{model}_changelist"))
    wait_for_it(lambda: False, seconds - (time.monotonic() - began), least=5)
    judge_answers(found, stage, pages, restarts, began)
    found.figures["restart"] = ", ".join(f"{end - start:.1f} s" for start, end in restarts)
    found.wrong += logs.tracebacks()
    said = logs.written() + stage.server_logs()[before:]
    found.wrong += [f"log: {line}" for line in said.splitlines() if "prepared statement" in line][:5]
    return found


def restart(stage: Stage, prepared: int) -> tuple[float, float]:
    began = time.monotonic()
    stage.pooler.restart(prepared=prepared)
    return began, time.monotonic()


def judge_answers(found: Found, stage: Stage, pages: Pages, restarts: list[tuple[float, float]], began: float) -> None:
    """Checks that no answer is 5xx, except for calls that were under way during a restart."""

    def excused(start: float, end: float) -> bool:
        return any(end >= down and start <= up + SLACK for down, up in restarts)

    calls = stage.load.since(began)
    bad = [one for one in calls if one.status != 200]
    opened = [row for row in pages.answers if row[0] >= began]
    failed = [row for row in opened if not 200 <= row[2] < 500]
    found.figures["orders"] = f"{len(bad)} of {len(calls)} calls not served"
    found.figures["pages"] = f"{len(failed)} of {len(opened)} not served"
    lost = [one for one in bad if not excused(one.at, one.at + one.seconds)]
    found.expect(not lost, f"calls that were not served: {lost[:3]}")
    refused = [(status, path) for start, end, status, path in failed if not excused(start, end)]
    found.expect(not refused, f"pages that were not served: {refused[:5]}")
    found.expect(len(opened) > len(admin.site._registry), f"only {len(opened)} pages were opened")


def first_order(stage: Stage) -> str:
    wait_for_it(lambda: stage.load.accepted, 60)
    return next(iter(stage.load.accepted))


def run_commands(found: Found, stage: Stage, number: str) -> None:
    """Runs each command that only reads (contract section 5). Each must end with 0, or with 1 if it reports a fault,
    and without a traceback."""
    content = stage.desk.folder / "content.json"
    content.write_text("{}")
    with contextlib.closing(Commands(stage.desk.environment, stage.desk.root)) as commands:
        for line in (
            "status --json",
            "stuck --json",
            f"show {number}",
            f"show {number} --json",
            f"reconcile {number}",
            "settings",
            f"resend {number} --dry-run",
            "resend --failed --dry-run",
            f"withdraw {number} --reason drill --dry-run",
            f"give_up {number} --reason drill --dry-run",
            f"check_attachments {number}",
            f"sign_message {content}",
            "setup_schedules",
            "activate --due",
            "check --deploy",
            "migrate --check",
        ):
            ran = commands.run(*line.split())
            said = ran.stdout + ran.stderr
            fine = ran.returncode in {0, 1} and "Traceback" not in said and "prepared statement" not in said
            found.expect(fine, f"{line}: {ran.returncode} {said[-600:]}")


def _superuser(stage: Stage) -> None:
    script = (
        "from project.models import User\n"
        f"User.objects.filter(username={USER!r}).exists() or User.objects.create_superuser({USER!r}, '', {PASSWORD!r})"
    )
    stage.desk.manage("shell", "-v0", "-c", script)
