"""Holds our billing records against the big-data side's, order by order (contract section 5, `reconcile`).

Threads ask; one thread reads the database, compares and writes. Orders come in batches by id, so that memory does not
grow with their number, and while one batch is compared the next is being asked for.
"""

import datetime
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils import timezone

from integrations.bigdata.client import query_product_infos
from integrations.bigdata.comparison import SETTLE, Found, Ours, compare
from integrations.building import record_facts
from integrations.http import PartnerError
from orders.models import BillingRecord, Difference, Order, Reconciliation
from orders.services.reconciling import (
    Finding,
    Snapshot,
    add_counts,
    begin_reconciliation,
    busy_orders,
    end_reconciliation,
    keep_findings,
    snapshot,
)

THREADS = 12
BATCH = 200
GIVE_UP_AFTER = 20  # orders in a row without an answer
NEEDED = [
    "number", "kind", "state", "undo_since", "billing_method", "enterprise_id", "enterprise_name", "attribution",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which orders: these numbers, or all; received on `since` (Asia/Shanghai) or later."""

    numbers: tuple[str, ...] = ()
    since: datetime.date | None = None

    def orders(self) -> QuerySet[Order]:
        """Those that can have billing records under their own number: a change's are its trial's."""
        rows = Order.objects.exclude(kind=Order.Kind.CHANGE).select_related("attribution")
        rows = rows.only(*NEEDED, "attribution__code").order_by("pk")
        if self.numbers:
            rows = rows.filter(number__in=self.numbers)
        if self.since:
            start = datetime.datetime.combine(self.since, datetime.time(), timezone.get_default_timezone())
            rows = rows.filter(received_at__gte=start)
        return rows


@dataclass
class Asked:
    """One order that was asked for, with what our records were before."""

    order: Order
    ours: list[Ours]
    seen: Snapshot
    answer: Future


@dataclass
class Comparison:
    """One run, or a part of one. `seconds`: how long it goes on at the most; then `after` says where to go on.

    `on_difference` is told of each difference as it is kept, with words for it.
    """

    scope: Scope
    by: str
    fix: bool = False
    seconds: float | None = None
    row: Reconciliation | None = None
    after: int | None = 0
    on_difference: Callable[[Difference, Found], None] = lambda difference, found: None
    skipped: int = 0
    silent: int = 0
    newest: int | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def run(self) -> Reconciliation:
        """Compares until all is done, time is up or the big-data side stays silent. `after` is None at the end."""
        self.row = self.row or begin_reconciliation(by=self.by, now=timezone.now())
        self.error, self.in_a_row, began = "", 0, time.monotonic()
        with ThreadPoolExecutor(THREADS, "to-bigdata") as pool:
            for asked in self._ask_ahead(pool):
                self._compare(asked)
                if self.in_a_row >= GIVE_UP_AFTER:
                    self.error = f"gave up: {self.error}"
                    self.after = None
                elif self.seconds is None or time.monotonic() - began < self.seconds:
                    continue
                pool.shutdown(cancel_futures=True)
                break
            else:
                self.after = None
        if self.after is None:
            self._end()
        self.row.refresh_from_db()
        return self.row

    def _end(self) -> None:
        error = f"{self.silent} orders not answered; {self.error}" if self.silent else ""
        end_reconciliation(self.row, error=error, now=timezone.now(), newest=self.newest)

    def _ask_ahead(self, pool: ThreadPoolExecutor) -> Iterator[list[Asked]]:
        """Batches, each asked for while the one before it is compared."""
        before = None
        for orders in self._batches():
            asked = self._ask(orders, pool)
            if before is not None:
                yield before
            before = asked
        if before is not None:
            yield before

    def _batches(self) -> Iterator[list[Order]]:
        last = self.after or 0
        while orders := list(self.scope.orders().filter(pk__gt=last)[:BATCH]):
            yield orders
            last = orders[-1].pk

    def _ask(self, orders: list[Order], pool: ThreadPoolExecutor) -> list[Asked]:
        """Reads what we have, then asks what they have. Orders with a billing step under way are left out."""
        busy = busy_orders([order.pk for order in orders], now=timezone.now())
        self.skipped += len(busy)
        records: dict[int, list[BillingRecord]] = {order.pk: [] for order in orders if order.pk not in busy}
        for record in BillingRecord.objects.filter(order__in=list(records)).order_by("pk"):
            records[record.order_id].append(record)
        return [
            Asked(
                order, _ours(order, records[order.pk]), snapshot(records[order.pk]), pool.submit(_query, order.number)
            )
            for order in orders
            if order.pk in records
        ]

    def _compare(self, batch: list[Asked]) -> None:
        """Compares a batch and adds it to the row's counts."""
        self.counts = {"orders": 0, "records": 0, "differences": 0, "fixed": 0}
        for asked in batch:
            answer = asked.answer.result()
            if isinstance(answer, PartnerError):
                self._note_silence(asked, answer)
                if self.in_a_row >= GIVE_UP_AFTER:
                    break
            else:
                self._compare_one(asked, answer)
        add_counts(self.row, **self.counts)
        self.after = max([self.after or 0, *(asked.order.pk for asked in batch)])

    def _note_silence(self, asked: Asked, error: PartnerError) -> None:
        self.silent += 1
        self.in_a_row += 1
        self.error = f"{asked.order.number}: {error.code}: {error.message}"

    def _compare_one(self, asked: Asked, theirs: list[dict]) -> None:
        self.in_a_row = 0
        found = compare(asked.ours, theirs)
        kept = self._keep(asked, found) if found else []
        if kept is None:
            self.skipped += 1
            return
        self.newest = asked.order.pk
        self.counts["orders"] += 1
        self.counts["records"] += max(len(asked.ours), len(theirs))
        self.counts["differences"] += len(kept)
        for difference, one in zip(kept, found, strict=True):
            self.counts["fixed"] += self.fix and (difference.fix_id is not None or one.remedy == SETTLE)
            self.on_difference(difference, one)

    def _keep(self, asked: Asked, found: list[Found]) -> list[Difference] | None:
        findings = [_finding(one) for one in found]
        return keep_findings(
            self.row, asked.order.pk, findings, seen=asked.seen, fix=self.fix, by=self.by, now=timezone.now()
        )


def _ours(order: Order, records: Collection[BillingRecord]) -> list[Ours]:
    rows = []
    for record in records:
        record.order = order
        cancelled = record.state == BillingRecord.State.CANCELLED
        rows.append(Ours(record.pk, record.state, record_facts(record, cancelled=cancelled)))
    return rows


def _finding(found: Found) -> Finding:
    return Finding(
        kind=found.kind,
        product_id=found.product_id[:64],
        domain=found.domain[:255],
        theirs=found.theirs,
        remedy=found.remedy,
        record=found.record,
        named=found.named,
        detail={"ours": found.ours, "theirs": found.theirs} | ({"fields": found.fields} if found.fields else {}),
    )


def _query(number: str) -> list[dict] | PartnerError:
    """What the big-data side holds for an order; asked once more if it did not answer. Runs in threads: no database."""
    error = None
    for _ in range(2):
        try:
            return query_product_infos(number, key=str(uuid.uuid4()), request_id=uuid.uuid4().hex)
        except PartnerError as trouble:
            error = trouble
    return error
