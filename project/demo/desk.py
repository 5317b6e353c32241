"""The running desk seen from outside: its addresses, its commands and the partners' sandbox."""

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path

import requests

from project.demo.environment import partner_addresses
from project.demo.processes import Children
from project.demo.report import done

STARTED_WITHIN = 60
NAME_THE_PERSON = "from project.models import User; User.objects.update(display_name='王敏')"
GUNICORN = ["-m", "gunicorn", "project.wsgi", "--workers", "2", "--threads", "4", "--no-control-socket"]


@dataclass(frozen=True)
class Desk:
    """The web address, the sandbox's address, and the processes behind them."""

    web: str
    sandbox: str
    children: Children

    def send(self, content: dict) -> None:
        """Signs a message and posts it, as BBOSS does. Raises DemoError unless the reply is 00000."""
        self.children.manage("send_order", str(self.write(content)))

    def write(self, content: dict) -> Path:
        """Writes a message's content to a file and returns it."""
        file = self.children.folder / f"{content['OrderNum']}.json"
        file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        return file

    def standing(self, number: str) -> dict:
        """An order's status: `show ORDER --json`."""
        return json.loads(self.children.manage("show", number, "--json"))

    def partners(self) -> dict:
        return http_call("GET", f"{self.sandbox}/state").json()

    def approve(self, number: str) -> None:
        """Has BPM approve an order."""
        http_call("POST", f"{self.sandbox}/approve", json={"code": number, "result": "pass"}).raise_for_status()

    def add_contact(self, contact: dict) -> None:
        """Adds a person who is responsible for an attribution."""
        file = self.children.folder / "contacts.json"
        file.write_text(json.dumps([{"model": "notifications.contact", "fields": contact}]), encoding="utf-8")
        self.children.manage("loaddata", str(file))

    @property
    def attachments(self) -> Path:
        """The folder of info-security files."""
        return self.children.folder / "attachments"


def start_desk(children: Children) -> Desk:
    """Starts sandbox, database, web and worker, each on a free loopback port. Raises DemoError."""
    sandbox = start_sandbox(children)
    done(f"partners' sandbox at {sandbox}")
    children.environment |= partner_addresses(sandbox)
    children.manage("migrate", "--verbosity", "0")
    children.manage("createsuperuser", "--noinput")
    children.manage("shell", "-v0", "-c", NAME_THE_PERSON)
    done(f"database made in {children.folder}")
    web = start_web(children)
    done(f"web at {web}")
    children.environment["SITE_URL"] = web  # for the worker's mails
    http_call("POST", f"{sandbox}/callback", json={"url": f"{web}/api/bpm/approvals"}).raise_for_status()
    children.start("worker", ["manage.py", "worker"])
    children.wait_until(lambda: answers(f"{web}/readyz"), what="a worker's sign of life", seconds=STARTED_WITHIN)
    done("worker runs")
    return Desk(web, sandbox, children)


def start_sandbox(children: Children) -> str:
    """Starts the sandbox, which takes a free port itself and prints its address."""
    log = children.start("sandbox", ["manage.py", "sandbox", "--port", "0"])
    told = children.wait_until(
        lambda: re.search(r"http://\S+", log.read_text()), what="the sandbox's address", seconds=STARTED_WITHIN
    )
    return told.group()


def start_web(children: Children) -> str:
    """Starts gunicorn on a socket that is already bound, so that nobody can take the port in between."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.fileno()
        children.start("web", [*GUNICORN, "--bind", f"fd://{number}"], keep_open=(number,))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    children.wait_until(lambda: answers(f"{url}/livez"), what="an answer from the web process", seconds=STARTED_WITHIN)
    return url


def answers(url: str) -> bool:
    """Whether the address answers 200."""
    try:
        return http_call("GET", url).ok
    except requests.RequestException:
        return False


def http_call(method: str, url: str, **more) -> requests.Response:
    """Makes one call on this machine, without any proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=30, **more)
