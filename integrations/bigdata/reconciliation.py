"""Compares our billing records with the big-data side's, order by order (contract section 5, `reconcile`).

Several threads query the partner. One thread reads the database, compares and writes. Orders are processed in batches
by id, so that memory use does not grow with their number. While a batch is compared, the next batch is queried.
"""

import datetime
import itertools
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Count, QuerySet
from django.utils import timezone

from integrations.base.other_desk import refuse_other_desk, why_other_desk
from integrations.bigdata.bigdata_steps import record_facts
from integrations.bigdata.client import query_product_infos
from integrations.bigdata.record_comparison import Ours, compare_records, filled_in, unreadable_answer
from integrations.bigdata.record_file import RecordFile
from integrations.bigdata.record_lookup import held_records
from integrations.outbound import partner_rate
from integrations.outbound.failure_classification import PartnerError
from orders.books.books import BooksSilentError, Discrepancy, Look, OrderComparison
from orders.books.differences import troubled
from orders.books.expected_records import not_meant
from orders.books.fixes import Left, obstacles
from orders.books.held_records import NAMES_IT
from orders.models import BillingRecord, Difference, Order, Reconciliation
from orders.outbox.billing_effects import called_after
from orders.pauses.paused_steps import why_paused
from orders.reconciliation import results
from orders.reconciliation.manual_answer_guards import called_too_late
from orders.reconciliation.number_list import close_known, keep_not_listed, keep_unknown, unknown_numbers
from orders.rules.content import MAX_DOMAINS
from orders.rules.host_names import domain_key
from orders.rules.local_time import midnight

logger = logging.getLogger(__name__)
THREADS = 12
ORDERS_A_BATCH, RECORDS_A_BATCH = 200, 20_000  # the largest number of orders in a batch, and of our records
SECONDS_A_BATCH = 5  # the longest time of a batch at PARTNER_RATE, so that a part ends soon after its time limit
Keys = Collection[tuple[str, str]]  # (productId, key of the domain) of records
GIVE_UP_AFTER = 20  # orders without an answer in a row
NEEDED = [
    "number",
    "kind",
    "state",
    "undo_since",
    "billing_method",
    "enterprise_id",
    "enterprise_name",
    "attribution",
    "product_id",
    "start_at",
]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The orders to compare: all orders, the orders with these `numbers`, or the orders received since the start of the
    day `since` (Asia/Shanghai)."""

    numbers: tuple[str, ...] = ()
    since: datetime.date | None = None

    @property
    def is_whole(self) -> bool:
        return not self.numbers and self.since is None

    def orders(self) -> QuerySet[Order]:
        """Returns orders that can have billing records under their own number. A change has no such records, because
        its records belong to its trial."""
        rows = self.all_orders().exclude(kind=Order.Kind.CHANGE).select_related("attribution")
        return rows.only(*NEEDED, "attribution__code").order_by("pk")

    def all_orders(self) -> QuerySet[Order]:
        rows = Order.objects.all()
        if self.numbers:
            rows = rows.filter(number__in=self.numbers)
        if self.since:
            rows = rows.filter(received_at__gte=midnight(self.since))
        return rows


@dataclass
class QueriedOrder:
    """An order for which the partner was queried. `ours` and `our_snapshot` are our records as read before the query.

    `troubled` is True if the comparison must be stored even without differences (`books/differences.py::troubled`,
    `books/expected_records.py::not_meant`). `left` has the keys of records that were sent too late for the file.
    """

    order: Order
    ours: list[Ours]
    our_snapshot: results.Snapshot
    answer: Future
    troubled: bool
    left: Keys = frozenset()


@dataclass
class Tally:
    """The progress of a run.

    `skipped` is the number of orders with steps in progress. `silent` is the number of orders without an answer.
    `in_a_row` counts the orders without an answer since the last answer. `error` is the last error. `counts` has the
    numbers that are not yet added to the run's row.
    """

    skipped: int = 0
    silent: int = 0
    in_a_row: int = 0
    error: str = ""
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Comparison:
    """A reconciliation run, or a part of a run that lasts `seconds`. The next part begins after the order id `after`.

    `fix` and `reason` are passed to `keep_discrepancies`. If BBOSS's list was given, `listed` has its order numbers.
    `on_left` is called for each order that is not compared or not fixed, with the reason. `on_compared` is called with
    the number of orders in each batch.

    With a `file` of the partner's records at the time `as_of`, the partner is not queried and nothing is fixed
    (contract 7.2).
    """

    scope: Scope
    by: str
    fix: bool = False
    reason: str = ""
    listed: Collection[str] | None = None
    file: RecordFile | None = None
    as_of: datetime.datetime | None = None
    seconds: float | None = None
    row: Reconciliation | None = None
    after: int | None = 0
    on_difference: Callable[[Difference], None] = lambda difference: None
    on_left: Callable[[str, Left, bool], None] = lambda number, left, compared: None
    on_compared: Callable[[int], None] = lambda number: None
    tally: Tally = field(default_factory=Tally, init=False)

    def run(self) -> Reconciliation:
        """Compares until the time limit or the end. Returns the run's row.

        At the end `after` is None. The end is reached if all orders are compared, or if the partner is paused or does
        not answer.
        """
        self.row = self.row or results.begin_reconciliation(by=self.by, now=timezone.now(), whole=self.scope.is_whole)
        until = None if self.seconds is None else time.monotonic() + self.seconds
        if not self._is_paused():
            self._compare_all(until)
        if self.after is None:
            self._end()
        self.row.refresh_from_db()
        return self.row

    def _compare_all(self, until: float | None) -> None:
        with ThreadPoolExecutor(THREADS, "to-bigdata") as pool:
            for asked, last in self._query_ahead(pool):
                self._compare(asked, last)
                self.on_compared(len(asked))
                if self._must_stop(until):
                    pool.shutdown(cancel_futures=True)
                    return
            self.after = None
            self._compare_list(pool)

    def _must_stop(self, until: float | None) -> bool:
        if self.tally.in_a_row >= GIVE_UP_AFTER:
            return self._give_up(self.tally.error)
        return self._is_paused() or (until is not None and time.monotonic() >= until)

    def _is_paused(self) -> bool:
        if self.file:
            return False
        why = why_paused("bigdata", now=timezone.now()) or why_other_desk()
        return bool(why) and self._give_up(why)

    def _give_up(self, why: str) -> bool:
        self.tally.error, self.after = f"gave up: {why}", None
        return True

    def _end(self) -> None:
        silent, error = self.tally.silent, self.tally.error
        error = f"{silent} orders not answered; {error}" if silent else error
        listed = None if self.listed is None else len(self.listed)
        results.end_reconciliation(
            self.row, now=timezone.now(), error=error, listed=listed, mail=not self.scope.numbers
        )

    def _query_ahead(self, pool: ThreadPoolExecutor) -> Iterator[tuple[list[QueriedOrder], int]]:
        """Yields each batch with its last order id. While the caller compares a batch, the next batch is queried."""
        before = None
        for orders in self._batches():
            asked = self._start_queries(orders, pool), orders[-1].pk
            if before is not None:
                yield before
            before = asked
        if before is not None:
            yield before

    def _batches(self) -> Iterator[list[Order]]:
        """Yields batches whose records fit into memory. A batch has at least one order."""
        last, size = self.after or 0, min(ORDERS_A_BATCH, settings.PARTNER_RATE * SECONDS_A_BATCH or ORDERS_A_BATCH)
        while orders := list(self.scope.orders().filter(pk__gt=last)[:size]):
            yield from _parts(orders)
            last = orders[-1].pk

    def _start_queries(self, orders: list[Order], pool: ThreadPoolExecutor) -> list[QueriedOrder]:
        """Starts the queries of a batch and returns its orders. Leaves out orders with a billing step in progress.

        Our records are read before the query. If they change meanwhile, `keep_discrepancies` stores nothing.
        """
        orders = self._to_compare(orders)
        records: dict[int, list[BillingRecord]] = {order.pk: [] for order in orders}
        for record in BillingRecord.objects.filter(order__in=list(records)).order_by("pk"):
            records[record.order_id].append(record)
        again = self._fixes_accepted
        to_end = troubled(orders) | not_meant(orders, records, now=timezone.now(), accepted=again).keys()
        left = self._left_out(orders, records)
        return [
            QueriedOrder(
                order,
                ours := _our_records(order, records[order.pk], again=again),
                results.snapshot(records[order.pk]),
                self._answer(pool, order.number, ours),
                order.pk in to_end,
                left.get(order.pk, frozenset()),
            )
            for order in orders
        ]

    def _answer(self, pool: ThreadPoolExecutor, number: str, ours: Collection[Ours] = ()) -> Future:
        """Returns a future with the big-data side's records of an order. A thread queries the partner. Records of a
        file are read at once, because only a single thread may use the file."""
        if not self.file:
            return pool.submit(_query, number, len(ours))
        answer: Future = Future()
        answer.set_result(filled_in(ours, self.file.rows(number)))
        return answer

    def _left_out(self, orders: list[Order], records: dict[int, list[BillingRecord]]) -> dict[int, Keys]:
        """Returns, by order id, the records that were sent too late for the file to contain them. Reports their
        orders."""
        found = called_after([order.pk for order in orders], self.as_of) if self.file and self.as_of else {}
        for order in orders if found else ():
            if young := found.get(order.pk):
                names = [one.domain for one in records[order.pk] if (one.product_id, one.domain_key) in young]
                self.on_left(order.number, called_too_late(names or [name for _product, name in sorted(young)]), False)
        return found

    @property
    def _fixes_accepted(self) -> bool:
        """Returns True if the run also fixes differences that staff accepted, because an operator gave a reason."""
        return self.fix and bool(self.reason)

    def _to_compare(self, orders: list[Order]) -> list[Order]:
        """Returns the orders without steps in progress. Reports the other orders, and the orders that can't be
        fixed."""
        found = obstacles(orders, now=timezone.now())
        for order in orders:
            if order.pk in found:
                self._report_left(order, found[order.pk].left, compared=not found[order.pk].moving)
        return [order for order in orders if order.pk not in found or not found[order.pk].moving]

    def _report_left(self, order: Order, left: Left, *, compared: bool = False) -> None:
        self.tally.skipped += not compared
        self.on_left(order.number, left, compared)

    def _compare(self, batch: list[QueriedOrder], last: int) -> None:
        for asked in batch:
            answer = asked.answer.result()
            if isinstance(answer, PartnerError) and answer.code != "bad_result":
                self._note_no_answer(asked.order.number, answer)
                if self.tally.in_a_row >= GIVE_UP_AFTER:
                    break
            else:
                self._compare_safely(asked, answer)
        self._add_counts()
        self.after = last

    def _add_counts(self) -> None:
        results.add_counts(self.row, **self.tally.counts)
        self.tally.counts.clear()

    def _note_no_answer(self, number: str, error: PartnerError) -> None:
        self.tally.silent += 1
        self.tally.in_a_row += 1
        self.tally.error = f"{number}: {error.code}: {error.message}"

    def _compare_safely(self, asked: QueriedOrder, theirs: list[dict] | PartnerError) -> None:
        """Compares an order. An error in our code is logged and treated as a missing answer, so that the run goes on.
        Raises errors of the database."""
        try:
            self._compare_one(asked, theirs)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("order %s can't be compared", asked.order.number)
            self.tally.silent += 1
            self.tally.error = f"{asked.order.number}: internal: {error!r}"

    def _compare_one(self, asked: QueriedOrder, theirs: list[dict] | PartnerError) -> None:
        self.tally.in_a_row = 0
        found, theirs = _compare_records(asked.ours, theirs)
        found = [one for one in found if (one.product_id, domain_key(one.domain)) not in asked.left]
        kept = self._save_discrepancies(asked, found) if found or asked.troubled else []
        if kept is None:
            self._report_left(asked.order, {"code": "acted_meanwhile"})
            return
        self.tally.counts["orders"] += 1
        self.tally.counts["records"] += max(len(asked.ours), len(theirs))
        self._report_differences(kept)

    def _compare_list(self, pool: ThreadPoolExecutor) -> None:
        """Compares our order numbers with BBOSS's list and the file, and stores the differences.

        An unknown number in the list or the file is stored with the partner's records. An order of ours that is missing
        in BBOSS's list is a difference too.
        """
        numbers = iter(self.listed or ())
        if self.file and self.scope.is_whole:
            numbers = itertools.chain(self.file.jobs(), itertools.filterfalse(self.file.rows, numbers))
        elif self.listed is None:
            return
        now = timezone.now()
        close_known(by=self.by, now=now)
        for batch in unknown_numbers(numbers):
            asked = [(number, self._answer(pool, number)) for number in batch]
            for number, future in asked:
                answer = future.result()
                if isinstance(answer, PartnerError):
                    self._note_no_answer(number, answer)
                else:
                    self._report_differences(keep_unknown(self.row, number, held_records(answer), by=self.by, now=now))
            self._add_counts()
        if self.listed is None:
            return
        self._report_differences(
            keep_not_listed(self.row, self.scope.all_orders(), set(self.listed), by=self.by, now=now)
        )
        self._add_counts()

    def _report_differences(self, kept: list[Difference]) -> None:
        self.tally.counts["differences"] += len(kept)
        for difference in kept:
            self.tally.counts["fixed"] += difference.fix_id is not None or difference.state == Difference.State.OVER
            self.on_difference(difference)

    def _save_discrepancies(self, asked: QueriedOrder, found: list[Discrepancy]) -> list[Difference] | None:
        return results.keep_discrepancies(
            self.row,
            asked.order.pk,
            found,
            our_snapshot=asked.our_snapshot,
            but=asked.left,
            fix=self.fix,
            reason=self.reason,
            again=self._fixes_accepted,
            by=self.by,
            now=timezone.now(),
            mail=not self.scope.numbers,
        )


def _parts(orders: list[Order]) -> Iterator[list[Order]]:
    """Splits the orders into lists. A list has at most RECORDS_A_BATCH records, or only one order."""
    rows = BillingRecord.objects.filter(order__in=[order.pk for order in orders]).order_by()
    counts = dict(rows.values_list("order").annotate(records=Count("*")))
    part, records = [], 0
    for order in orders:
        records += counts.get(order.pk, 0)
        if part and records > RECORDS_A_BATCH:
            yield part
            part, records = [], counts.get(order.pk, 0)
        part.append(order)
    yield part


def compare_now(order_id: int, look: Look | None = None) -> OrderComparison:
    """Compares one order now (`orders.books.books.compare_now`). Raises BooksSilentError.

    The partner's records are queried. If a person has seen the records at the partner, they are taken from `look`.
    """
    order = Order.objects.select_related("attribution").get(pk=order_id)
    records = list(order.billing_records.order_by("pk"))
    ours = _our_records(order, records)
    if look:
        answer: list[dict] | PartnerError = filled_in(ours, look.of_job(order.number))
    else:
        refuse_other_desk()
        answer = _query(order.number, len(records))
    if isinstance(answer, PartnerError) and answer.code != "bad_result":
        raise BooksSilentError(answer.message, code=answer.code)
    found, theirs = _compare_records(ours, answer)
    return OrderComparison(
        discrepancies=found,
        our_snapshot=results.snapshot(records),
        records=max(len(records), len(theirs)),
        held=held_records(row for row in theirs if isinstance(row, dict)),
    )


def _compare_records(ours: list[Ours], theirs: list[dict] | PartnerError) -> tuple[list[Discrepancy], list[dict]]:
    """Returns the differences, and the partner's rows. An unreadable answer is a difference too."""
    if isinstance(theirs, PartnerError):
        return [unreadable_answer(theirs.answer)], []
    return compare_records(ours, theirs), theirs


def _our_records(order: Order, records: Collection[BillingRecord], *, again: bool = False) -> list[Ours]:
    """Returns our records with their target states. With `again`, values that staff accepted are compared again, except
    the values that identify a record (NAMES_IT)."""
    rows = []
    for record in records:
        record.order = order
        if again:
            record.accepted = {name: said for name, said in record.accepted.items() if name in NAMES_IT}
        cancelled = record.state == BillingRecord.State.CANCELLED
        facts = record_facts(record, cancelled=cancelled)
        rows.append(Ours(record.pk, record.state, facts, record.accepted))
    return rows


def _query(number: str, expected: int = 0) -> list[dict] | PartnerError:
    """Returns the big-data side's records of an order, or the error. Queries a second time after an error.

    Runs in threads, so it must not use the database. `expected` is the number of our records, but the partner may have
    many more. If the answer was too large for that number, the second query allows MAX_DOMAINS records.
    """
    error = None
    for _ in range(2):
        partner_rate.wait_for_slot("bigdata")
        try:
            return query_product_infos(number, key=str(uuid.uuid4()), request_id=uuid.uuid4().hex, expected=expected)
        except PartnerError as trouble:
            error = trouble
            expected = MAX_DOMAINS if trouble.code == "answer_too_large" else expected
    return error
