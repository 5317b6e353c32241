"""Measures the disk space of an order: `python -m bench.disk [--orders 3000]`.

The benchmark needs PostgreSQL. It posts trials and their first activations in this process. Each trial and its
activation belong to another customer. The steps are carried out, the mails are sent, and the orders are indexed for
the search. The result is the growth caused by the second half of the orders. It is given for each table of the
database, for a backup, and for the server's WAL. Meanwhile no other client may use the server, so BENCH_SERVER should
name a separate server.
"""

import pathlib
import time

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import clear_queue, post_contents
from bench.results import append
from integrations.delivery.loop import drain
from orders.models import Dispatch
from orders.search.index import ORDERS_SETTLED, index_orders
from tests.processes.orders import activation, trial

TABLES = """
SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
NAMED = 10  # tables that are named; the others are one row
YEARS = (100_000, 1_000_000, 10_000_000)  # orders a year


def main() -> None:
    options = read_options(__doc__, orders=3000)
    with Desk() as desk:
        desk.start_partner(0)
        half = options.orders // 2
        _carry_out(0, half)
        before = _sizes(desk.folder / "first")
        _carry_out(half, half)
        after = _sizes(desk.folder / "second")
        each = {name: (size - before.get(name, 0)) / half for name, size in after.items()}
        append("disk", _report(each, options.orders))


def _carry_out(first: int, count: int) -> None:
    """Carries out `count` orders. They are half trials and half activations, with a pair for each customer. If a step
    is not done, raises RuntimeError."""
    today, numbers = f"{timezone.localtime():%Y%m%d}", range(first, first + count // 2)
    for make in (trial, activation):
        for number in numbers:
            of = {"EnterpriseID": f"100A{number:017d}", "EnterpriseName": f"北京示例{number}科技有限公司"}
            post_contents([make(number, BizStart=today, **(of if make is trial else {}))])
        drain(seconds=None, linger=False)
        clear_queue()  # deletes the wake-ups, which no worker takes here
    if undone := Dispatch.objects.exclude(state=Dispatch.State.DONE).count():
        raise RuntimeError(f"{undone} steps are not done")
    index_orders(now=timezone.now() + 2 * ORDERS_SETTLED, seconds=600)


def _sizes(backup: pathlib.Path) -> dict[str, float]:
    """Returns the bytes of each table with its indexes, of all indexes, of the WAL so far, and of a backup."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(WAL)
        wal = float(cursor.fetchone()[0])
        cursor.execute(TABLES)
        rows = cursor.fetchall()
    call_command("backup", str(backup), verbosity=0)
    copied = sum(file.stat().st_size for file in backup.rglob("*") if file.is_file())
    found = {name: float(size) for name, size, _ in rows}
    return found | {" indexes": float(sum(size for *_, size in rows)), " WAL": wal, " backup": float(copied)}


def _report(each: dict[str, float], orders: int) -> list[str]:
    wal, backup, indexes = (each.pop(name) for name in (" WAL", " backup", " indexes"))
    whole = sum(each.values())
    largest = sorted(each, key=each.__getitem__, reverse=True)[:NAMED]
    rest = whole - sum(each[name] for name in largest)
    years = [f"{count:,}: {whole * count / 1e9:.1f} GB, backup {backup * count / 1e9:.1f} GB" for count in YEARS]
    return [
        f"{orders} orders, half of them trials, half their activations. Of the second half, an order:",
        "",
        "| table, with its indexes | bytes an order | |",
        "| --- | --- | --- |",
        *(f"| {name} | {each[name]:.0f} | {each[name] / whole:.0%} |" for name in largest),
        f"| all others | {rest:.0f} | {rest / whole:.0%} |",
        f"| database | {whole:.0f} | indexes {indexes / whole:.0%} |",
        f"| WAL | {wal:.0f} | |",
        f"| backup | {backup:.0f} | |",
        "",
        f"Orders a year and what they add: {'; '.join(years)}.",
    ]


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
