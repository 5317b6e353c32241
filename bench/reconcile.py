"""Time and memory of `reconcile`: `python -m bench.reconcile [--records 100000] [--domains 5] [--rounds 3]`.

The command and the sandbox run in separate processes. A few records are missing in the sandbox on purpose.
`--domains` is the number of records of one order.
"""

import pathlib
from argparse import Namespace
from collections.abc import Iterable

from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import live_record
from bench.results import append, spread
from integrations.bigdata.bigdata_steps import record_facts
from integrations.bigdata.billing_record_fields import records_body
from integrations.sandbox.store import Store
from orders.models import BillingRecord, Order

RECORDS_A_BATCH = 2000
MISSING_EVERY = 10_000
MOST_SECONDS, MOST_MIB = 60, 200


def main() -> None:
    """Creates the records on both sides, compares them, and appends seconds and MiB."""
    options = read_options(__doc__, records=100_000, domains=5, rounds=(3, 1, 20))
    orders = options.records // options.domains
    with Desk() as desk:
        state = desk.folder / "sandbox.sqlite3"
        missing = _fill(orders, options.domains, state)
        url = desk.start_sandbox("--state", str(state))
        runs = [_run(desk, f"{url}/bigdata", missing) for _ in range(options.rounds)]
        append("reconcile", _report(orders, options, missing, runs))


def _fill(orders: int, domains: int, state: pathlib.Path) -> int:
    """Creates active orders with live records. Creates the same records in the sandbox, except a few. Returns the
    number of missing records."""
    store, missing = Store(str(state)), 0
    for first in range(0, orders, RECORDS_A_BATCH):
        records = _make(range(first, min(first + RECORDS_A_BATCH, orders)), domains)
        kept = [record for record in records if record.pk % MISSING_EVERY]
        missing += len(records) - len(kept)
        put_there(store, kept)
    store.close()
    return missing


def put_there(store: Store, records: Iterable[BillingRecord]) -> None:
    """Stores these records at the sandbox's big-data side."""
    facts = (record_facts(record, cancelled=False) for record in records)
    with store.transaction():
        for record in records_body(facts)["productInfos"]:
            store.put_record(record)


def _make(numbers: range, domains: int) -> list[BillingRecord]:
    orders = Order.objects.bulk_create(_order(number) for number in numbers)
    records = [_record(order, domain) for order in orders for domain in range(domains)]
    return BillingRecord.objects.bulk_create(records, batch_size=RECORDS_A_BATCH)


def _order(number: int) -> Order:
    now = timezone.now()
    return Order(
        number=f"100A23092017{number:07d}",
        kind=Order.Kind.ACTIVATION,
        state=Order.State.ACTIVE,
        first=True,
        attribution_id="BJ",
        service_type_id="1",
        enterprise_id="100A23100079275183",
        enterprise_name="北京示例科技有限公司",
        product_id="61000616304",
        billing_method="1",
        content={},
        content_hash=f"{number:064x}",
        trans_idh=f"{number:032x}",
        received_at=now,
        planned_at=now,
        live_at=now,
    )


def _record(order: Order, domain: int) -> BillingRecord:
    name = f"www{domain}.{order.number.lower()}.example.com"
    return live_record(order, name, BillingRecord.Type.COMMERCIAL, order.product_id)


def _run(desk: Desk, url: str, missing: int) -> tuple[float, float]:
    """Returns seconds and largest MiB. If the number of differences is not `missing`, raises RuntimeError."""
    seconds, most, out = desk.command("reconcile", fails=bool(missing), BIGDATA_BASE_URL=url)
    print(f"{out.splitlines()[-1]} in {seconds:.1f} s", flush=True)
    if f": {missing} differences" not in out:
        raise RuntimeError(f"not {missing} differences: {out[-1000:]}")
    return seconds, most


def _report(orders: int, options: Namespace, missing: int, runs: list[tuple[float, float]]) -> list[str]:
    seconds, mebibytes = zip(*runs, strict=True)
    reached = "reached" if max(seconds) < MOST_SECONDS and max(mebibytes) < MOST_MIB else "not reached"
    return [
        f"{options.records} records of {orders} orders, one question each; {missing} missing there, all found.",
        "",
        "| seconds | largest resident size, MiB |",
        "| --- | --- |",
        f"| {spread(list(seconds), 1)} | {spread(list(mebibytes))} |",
        "",
        f"under {MOST_SECONDS} s and {MOST_MIB} MiB for 100000 records: {reached}",
    ]


if __name__ == "__main__":
    main()
