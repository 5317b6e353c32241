"""Measures the cost of open pages while nothing happens: `python -m bench.open_pages [--pages 100] [--seconds 60]`.

The benchmark needs PostgreSQL, and runs behind gunicorn. Each page belongs to another user. Every second user is
limited to an attribution. The pages are dashboards, lists, orders and incidents in equal parts. They are opened, and
then they poll every 15 seconds as browsers do. The result is the CPU time that the web process and PostgreSQL use
meanwhile. It must be under 5 % of one core. Pages that are renewed in this time are included.
"""

import re
import time
from argparse import Namespace
from collections.abc import Callable

import requests
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from django.utils import timezone

from bench import environment  # sets Django up
from bench.admin_data import fill
from bench.cpu import DatabaseCpu, cpu_of_group
from bench.desk import Desk
from bench.options import read_options
from bench.results import append
from orders.lists.live_pages import CALM
from orders.models import Incident, Order, Province

LIMIT = 5.0
ROLES = get_user_model()._meta.get_field("groups").related_model.objects.all()
LIST = "/admin/orders/order/"
VERSION = re.compile(r'data-version="([\w-]+)"')


def main() -> None:
    """Opens the pages, lets them poll, and appends the used shares of a core."""
    options = read_options(__doc__, pages=(100, 4, 400), seconds=(60, 15, 1800), orders=20_000)
    with Desk() as desk:
        fill(options.orders)
        cookies = [_person(number) for number in range(options.pages)]
        web = desk.start_web("web", "project.wsgi", workers="-w 1 --threads 4")
        group = desk.processes["web"].pid
        pages = [_open(web, path, cookie) for path, cookie in zip(_paths(options.pages), cookies, strict=True)]
        _poll(web, pages)  # warms up the caches of the web process
        connections.close_all()  # this process's connections filled the database, so they must not count
        began, web_cpu, database_cpu = time.monotonic(), cpu_of_group(group), DatabaseCpu(environment.NAME)
        answers: list[int] = []
        for _ in range(options.seconds // CALM):
            answers += _poll(web, pages, over=CALM, look=database_cpu.look)
        passed = time.monotonic() - began
        shares = [100 * (cpu_of_group(group) - web_cpu) / passed, 100 * database_cpu.seconds() / passed]
        append("open_pages", _report(shares, answers, passed, options))


def _person(number: int) -> str:
    """Creates a clerk's account. Every second account is limited to a province. Returns the cookie of the session."""
    user = get_user_model().objects.create_user(f"bench{number}", is_staff=True, limited=number % 2 == 1)
    user.groups.set(ROLES.filter(name="业务人员"))
    if user.limited:
        user.attributions.set(Province.objects.order_by("pk")[number % 30 : number % 30 + 1])
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def _paths(number: int) -> list[str]:
    """Returns `number` addresses. Addresses at even positions are for users without a limit, who see every row."""
    orders = list(Order.objects.order_by("-pk").values_list("pk", flat=True)[:50])
    incident = Incident.objects.create(partner="bpm", code="timeout", first_at=(now := timezone.now()), last_at=now)
    all_see = [f"{LIST}{orders[1]}/change/", f"/admin/orders/incident/{incident.pk}/change/"]
    own = ["/admin/", LIST, f"{LIST}?needs=somebody", "/admin/orders/incident/"]
    return [(own if place % 2 else [*own[:2], *all_see])[place // 2 % 4] for place in range(number)]


def _open(web: str, path: str, cookie: str) -> list:
    answer = requests.get(web + path, cookies={"sessionid": cookie}, timeout=30)
    found = VERSION.search(answer.text)
    if found is None:
        raise RuntimeError(f"{path} is no live page: {answer.status_code}")
    return [path, cookie, found[1]]


def _poll(web: str, pages: list[list], *, over: float = 0.0, look: Callable = lambda: None) -> list[int]:
    """Polls each page once, and calls `look` after each poll. The polls are spread evenly over `over` seconds. Returns
    the HTTP statuses."""
    began, codes, session = time.monotonic(), [], requests.Session()  # the session keeps its connections, as nginx does
    session.trust_env = False
    for place, page in enumerate(pages):
        time.sleep(max(0.0, began + over * place / len(pages) - time.monotonic()))
        path, cookie, seen = page
        asked = {"cookies": {"sessionid": cookie}, "headers": {"Desk-Poll": "1"}, "timeout": 30}
        answer = session.get(web + path, params={"seen": seen}, **asked)
        page[2] = answer.headers["Desk-Version"]
        codes.append(answer.status_code)
        look()
    time.sleep(max(0.0, began + over - time.monotonic()))
    return codes


def _report(shares: list[float], answers: list[int], passed: float, options: Namespace) -> list[str]:
    reached = "reached" if sum(shares) < LIMIT else "not reached"
    changed = len(answers) - answers.count(204)
    return [
        f"{options.pages} open pages of as many people (dashboards, lists, orders, incidents), each polls every "
        f"{CALM} s for {passed:.0f} s; {options.orders} orders, nothing happens.",
        "",
        f"{sum(shares):.1f} % of one core (web {shares[0]:.1f} %, PostgreSQL {shares[1]:.1f} %), under {LIMIT:.0f} %: "
        f"{reached}; {len(answers)} polls, {changed} of pages that had grown old",
    ]


if __name__ == "__main__":
    main()
