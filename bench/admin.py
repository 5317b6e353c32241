"""The staff's pages on many orders: `python -m bench.admin [--orders 1000000] [--rounds 5]`.

The benchmark needs PostgreSQL. Requests alternate between two databases, so that a busy machine affects both. One
database has a thousand orders, the other has many. The result is the ratio of the medians, which must be at most 1.4.
Both databases are dropped at the end.
"""

import datetime
import time
from collections import defaultdict
from statistics import median

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.admin_data import fill
from bench.desk import Desk, copied_database, switch
from bench.options import read_options
from bench.results import append, spread
from integrations.api.tokens import make_token
from orders.models import Order
from orders.office.saved_views.tabs import ready_tabs
from orders.search.list_search import customer_address

SMALL, LIMIT = 1000, 1.4
FULL = 60  # rows, more than a page shows
TRIES = 3  # tries in a round; the fastest counts
LIST, FIND = "/admin/orders/order/", "/admin/find/?part=&q="


def main() -> None:
    """Fills both databases, requests every page alternately, and appends medians and ratios."""
    options = read_options(__doc__, orders=1_000_000, rounds=5)
    with Desk(), copied_database("large") as large:
        ways = {SMALL: connections["default"], options.orders: large}
        filled = {}
        for size, way in ways.items():
            filled[size] = fill_one(size, way)
            _measure({size: way}, rounds=0)  # fails early if a page does not work, before the large database is filled
        times = _measure(ways, options.rounds)
        append("admin", _report(times, options.orders, filled[options.orders]))


def fill_one(size: int, way) -> float:
    """Creates the rows and a superuser in a migrated database. Returns the seconds that it took."""
    switch(way)
    began = time.monotonic()
    fill(size)
    get_user_model().objects.create_superuser("bench")
    print(f"{size} orders in {time.monotonic() - began:.0f} s", flush=True)
    return time.monotonic() - began


def pages() -> dict[str, str]:
    """Returns the pages' addresses by description. In a database of any size these pages show full pages of rows."""
    order = Order.objects.filter(kind=Order.Kind.ACTIVATION, state=Order.State.ACTIVE).order_by("-pk")[9]
    return {
        "dashboard": "/admin/",
        "list": LIST,
        "list, page 15": f"{LIST}?p=15",
        "filter: state": f"{LIST}?state__exact=active",
        "filter: attribution and kind": f"{LIST}?attribution__letters__exact={order.attribution_id}&kind__exact=trial",
        "filter: service": f"{LIST}?service_type__code__exact={order.service_type_id}",
        "filter: received in 30 days": f"{LIST}?received=30d",
        "filter: held or failed": f"{LIST}?needs=somebody",
        "filter: range of days": f"{LIST}?received={_days_of(order)}",
        "filter: 3 days in its state": f"{LIST}?in_state=3d&state__exact=active",
        "filter: nobody's": f"{LIST}?needs=somebody&owner=nobody",
        "filter: over time": f"{LIST}?overtime=yes",
        "filter: far over time": f"{LIST}?overtime=very",
        "sort: in this state since": f"{LIST}?o=since&columns=number,state_chip,since",
        "sort: attempts": f"{LIST}?o=-attempts&columns=number,attempts,next_try",
        "sort: next try": f"{LIST}?o=next_try&columns=number,attempts,next_try",
        **{f"view: {tab.key}": f"{LIST}{tab.address}" for tab in ready_tabs("orders")},
        "counts of the views": "/admin/orders/savedview/counts/orders/",
        "views": "/admin/orders/savedview/",
        "search: whole number": f"{LIST}?q={order.number}",
        "search: beginning of a number": f"{LIST}?q={_beginning('number', order.number)}",
        "search: trial number": f"{LIST}?q={order.trial_number}",
        "search: product id": f"{LIST}?q={order.product_id}",
        "search: domain": f"{LIST}?q=cdn{order.pk}-",
        "search: beginning of a name": f"{LIST}?q={_beginning('enterprise_name', order.enterprise_name)}",
        "search: piece of a name": f"{LIST}?q={order.enterprise_name[3:12]}",
        "order": f"{LIST}{order.pk}/change/",
        "customers": "/admin/orders/customer/",
        "customers, search: piece of a name": f"/admin/orders/customer/?q={order.enterprise_name[-8:-6]}",
        "customer: billed now": customer_address(order.enterprise_id),
        "customer: orders": f"{customer_address(order.enterprise_id)}?tab=orders",
        "customer: timeline": f"{customer_address(order.enterprise_id)}?tab=events",
        "find: whole number": f"{FIND}{order.number}",
        "find: last digits": f"{FIND}{order.number[-6:]}",
        "find: middle of a number": f"{FIND}{order.number[6:12]}",
        "find: two characters of a name": f"{FIND}{order.enterprise_name[-8:-6]}",
        "find: parent of domains": f"{FIND}{order.domains.first().name.partition('.')[2]}",
        "find: phone that all have": f"{FIND}{order.oper_tel}",
        "find: nothing": f"{FIND}no such thing",
        "billing records of a customer": f"/admin/orders/billingrecord/?q={order.enterprise_id}",
        "billing dispatches": "/admin/orders/billingdispatch/",
        "billing records": "/admin/orders/billingrecord/",
        "export of a list": "/admin/orders/export/new/orders/?state__exact=active",
        "exports": "/admin/orders/export/",
        "scheduled exports": "/admin/orders/scheduledexport/",
        "new scheduled export": "/admin/orders/scheduledexport/new/",
        "incidents": "/admin/orders/incident/",
        "mails": "/admin/notifications/mail/",
        "mails: not sent": "/admin/notifications/mail/?state=failed",
        "second person": "/admin/orders/askedact/",
        "leave": "/admin/leave/",
        "accounts": "/admin/project/user/",
        "approvals": "/admin/approvals/approvalrecord/",
        "audit": "/admin/trail/",
        "audit: older days": f"/admin/trail/?until={timezone.localdate(order.received_at)}",
        "audit: person": "/admin/trail/?user=staff7",
        "audit: order": f"/admin/trail/?order={order.number}",
        "audit: customer": f"/admin/trail/?customer={order.enterprise_id}",
        "read API: orders": "/api/orders/?limit=200",
        "read API: filter: state": "/api/orders/?state=active",
        "read API: order": f"/api/orders/{order.number}/",
        "read API: customer's billing": f"/api/customers/{order.enterprise_id}/billing/",
        "bulk: note on held or failed": "/admin/orders/bulkrun/new/note/?every=1&needs=somebody",
        "bulk: resend what failed": "/admin/orders/order/resend/?partner=bpm",
        "bulk runs": "/admin/orders/bulkrun/",
        "rows of bulk runs": "/admin/orders/bulkitem/",
    }


def _days_of(order: Order) -> str:
    """Returns the week that ends on the day when the order was received, as a filter's value."""
    day = timezone.localdate(order.received_at)
    return f"{day - datetime.timedelta(days=6)}..{day}"


def _beginning(field: str, text: str) -> str:
    """Returns the longest prefix of a field's text that matches a full page of orders."""
    beginnings = (text[:end] for end in range(len(text), 0, -1))
    return next(part for part in beginnings if Order.objects.filter(**{f"{field}__startswith": part})[FULL:].exists())


def _measure(ways: dict, rounds: int) -> dict[str, dict[int, list[float]]]:
    """Returns milliseconds by page and size. The first round is a warm-up and does not count."""
    times = defaultdict(lambda: defaultdict(list))
    visits = {size: sign_in(way) for size, way in ways.items()}
    for turn in range(rounds + 1):
        for page in next(iter(visits.values()))[1]:
            spent = defaultdict(list)
            for _ in range(TRIES):
                for size, (client, urls) in visits.items():
                    switch(ways[size])
                    spent[size].append(ask(client, urls[page]))
            for size, values in spent.items() if turn else ():
                times[page][size].append(min(values))
    return times


def sign_in(way) -> tuple[Client, dict[str, str]]:
    """Returns the client of a superuser, which also sends a token of the read API. Also returns this database's
    pages."""
    switch(way)
    now = timezone.now()
    _token, text = make_token(
        system=f"bench {now:%H:%M:%S.%f}",
        letters=None,
        personal=False,
        valid_until=timezone.localdate(now),
        by="command:bench",
        now=now,
    )
    client = Client(HTTP_HOST="localhost", HTTP_AUTHORIZATION=f"Bearer {text}")
    client.force_login(get_user_model().objects.get(username="bench"))
    return client, pages()


def ask(client: Client, url: str) -> float:
    """Returns the milliseconds of a request with an empty cache. If the status is not 200, raises RuntimeError."""
    cache.clear()
    began = time.perf_counter()
    answer = client.get(url)
    spent = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{url} answered {answer.status_code}")
    return spent


def _report(times: dict, size: int, seconds: float) -> list[str]:
    lines = [
        f"{size} orders made in {seconds:.0f} s. Test client, milliseconds, medians [all rounds], both sizes in turn, "
        f"of {TRIES} tries the quickest.",
        "",
        f"| page | {SMALL} orders | {size} orders | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for page, by_size in times.items():
        small, large = by_size[SMALL], by_size[size]
        ratio = median(large) / median(small)
        lines.append(f"| {page} | {spread(small)} | {spread(large)} | {ratio:.2f}{' !' if ratio > LIMIT else ''} |")
    worst = max(median(one[size]) / median(one[SMALL]) for one in times.values())
    return [*lines, "", f"at most {LIMIT} times: {'reached' if worst <= LIMIT else 'NOT reached'} (worst {worst:.2f})"]


if __name__ == "__main__":
    main()
