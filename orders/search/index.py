"""Fills the customers and the search index, outside the intake's transaction.

The worker does this after a drain and in a sweep, for a short time, and yields to steps that become due. The remaining
work is derived from the rows, so the worker may be killed at any moment, and orders may be indexed twice.
"""

import datetime
import time
from collections.abc import Callable, Iterable

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from orders.intake.customer_names import name_of
from orders.intake.manual_trials import ENTERED
from orders.models import Customer, DomainText, Order, OrderDomain, OrderEvent, OrderText, TextProgress
from orders.rules.host_names import unicode_form
from orders.rules.search_terms import folded

ORDERS_A_TRANSACTION = 100  # per transaction
DOMAINS, MAX_DOMAINS = 500, 5000  # per transaction, and per batch
# Ids are assigned before the commit. All rows older than this are committed.
ORDERS_SETTLED, EVENTS_SETTLED = datetime.timedelta(minutes=2), datetime.timedelta(seconds=30)
MOVED = "attribution_moved"
TELLING = ["held", "went_on", "attribution_chosen", MOVED, "domains_named", "late_answer", "approval"]
CHANGED = Q(kind__in=TELLING) | Q(kind="step_done", data__step="start_bpm")
"""Events after which an order may have got a customer, attribution, domains or a BPM process."""
READ = [
    "number",
    "product_id",
    "bpm_process",
    "oper_tel",
    "enterprise_id",
    "enterprise_name",
    "attribution",
    "received_at",
]


def index_orders(*, now: datetime.datetime, seconds: float, may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Indexes new orders, then changed orders, then old orders, for about `seconds`. Returns the number of indexed
    orders. Only one process at a time indexes.

    Before the old orders come customers that were written by versions before 1.10.0 and have no texts.
    """
    until = time.monotonic() + seconds
    progress = TextProgress.objects.first() or _begin(now)
    count = 0
    for part in (_index_new, _index_changed, _note_texts, _index_older):
        done = True
        while done and time.monotonic() < until and may_go_on():
            done = part(progress, now)
            count += done
    return count


def _begin(now: datetime.datetime) -> TextProgress:
    settled = Order.objects.filter(received_at__lt=now - ORDERS_SETTLED).order_by("-pk").values_list("pk", flat=True)
    newest = settled.first() or 0
    event = OrderEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    return TextProgress.objects.create(orders=newest, older=newest + 1, events=event)


def _index_new(progress: TextProgress, now: datetime.datetime) -> int:
    done = _index(_not_indexed().filter(pk__gt=progress.orders).order_by("pk"))
    if not done:
        settled = Order.objects.filter(pk__gt=progress.orders, received_at__lt=now - ORDERS_SETTLED)
        _save_progress(progress, orders=settled.aggregate(last=Max("pk"))["last"])
    return len(done)


def _index_changed(progress: TextProgress, now: datetime.datetime) -> int:
    """Indexes orders that were changed after they were accepted."""
    rows = OrderEvent.objects.filter(pk__gt=progress.events, at__lt=now - EVENTS_SETTLED).order_by("pk")
    last = rows.aggregate(last=Max("pk"))["last"]
    if last is None:
        return 0
    changed = list(
        rows.filter(CHANGED, order__isnull=False).values_list("pk", "order_id", "kind")[:ORDERS_A_TRANSACTION]
    )
    left = {order for _event, order, _kind in changed}
    _leave_places({order for _event, order, kind in changed if kind == MOVED})
    while left:
        left -= {row.pk for row in _index(Order.objects.filter(pk__in=left))}
    _save_progress(progress, events=last if len(changed) < ORDERS_A_TRANSACTION else changed[-1][0])
    return len(changed)


def _leave_places(moved: set[int]) -> None:
    """After orders were moved, removes attributions of customers if no order of the customer has these attributions any
    more."""
    theirs = Order.objects.filter(enterprise_id=OuterRef("customer_id"), attribution_id=OuterRef("province_id"))
    customers = Order.objects.filter(pk__in=moved).values("enterprise_id")
    Customer.attributions.through.objects.filter(~Exists(theirs), customer__in=customers).delete()


def _index_older(progress: TextProgress, now: datetime.datetime) -> int:
    if not progress.older:
        return 0
    done = _index(_not_indexed().filter(pk__lt=progress.older).order_by("-pk"))
    _save_progress(progress, older=min((row.pk for row in done), default=0))
    return len(done)


def _note_texts(progress: TextProgress, now: datetime.datetime) -> int:
    """Sets the texts of customers written by an earlier version."""
    customers = list(Customer.objects.filter(texts=None).order_by("pk")[:ORDERS_A_TRANSACTION])
    if not customers:
        return 0
    texts = {row.pk: [row.pk] for row in customers}
    named = Order.objects.filter(enterprise_id__in=texts).order_by().values_list("enterprise_id", "enterprise_name")
    for customer, name in named.distinct():
        texts[customer].append(name)
    for row in customers:
        row.texts = _lines(texts[row.pk])
    Customer.objects.bulk_update(customers, ["texts"])
    return len(customers)


def _save_progress(progress: TextProgress, **place: int | None) -> None:
    [(name, value)] = place.items()
    if value is not None and value != getattr(progress, name):
        setattr(progress, name, value)
        progress.save(update_fields=[name])


def _not_indexed() -> QuerySet[Order]:
    return Order.objects.filter(~Exists(OrderText.objects.filter(order=OuterRef("pk"))))


def _index(rows: QuerySet[Order]) -> list[Order]:
    """Indexes and returns the first orders, at most ORDERS_A_TRANSACTION.

    The row that marks an order as indexed comes last.
    """
    orders = _first_few(list(rows.only(*READ)[:ORDERS_A_TRANSACTION]))
    _index_domains(orders)
    with transaction.atomic():
        _keep_customers(orders)
        texts = [
            OrderText(
                order=row,
                number=folded(row.number),
                product=folded(row.product_id),
                process=folded(row.bpm_process),
                phone=folded(row.oper_tel),
            )
            for row in orders
        ]
        OrderText.objects.bulk_create(
            texts, update_conflicts=True, unique_fields=["order"], update_fields=["product", "process", "phone"]
        )
    return orders


def _first_few(orders: list[Order]) -> list[Order]:
    """Returns the first orders with at most MAX_DOMAINS domains together, but at least one order. The limit lets a
    batch end within a task's time."""
    counted = OrderDomain.objects.filter(order__in=orders).order_by().values_list("order").annotate(number=Count("pk"))
    numbers, total = dict(counted), 0
    for place, order in enumerate(orders):
        total += numbers.get(order.pk, 0)
        if total > MAX_DOMAINS and place:
            return orders[:place]
    return orders


def _index_domains(orders: list[Order]) -> None:
    """Indexes each domain once, and an internationalized domain in both forms.

    The rows are read completely first. On SQLite a transaction that begins while a query is open fails if another
    process has committed since.
    """
    keys = sorted(set(OrderDomain.objects.filter(order__in=orders).order_by().values_list("key", flat=True)))
    for start in range(0, len(keys), DOMAINS):
        texts = (_lines([key, unicode_form(key)]) for key in keys[start : start + DOMAINS])
        DomainText.objects.bulk_create([DomainText(text=text) for text in texts], ignore_conflicts=True)


def _keep_customers(orders: Iterable[Order]) -> None:
    """Creates or updates the customers of these orders and their search texts."""
    named = sorted((row for row in orders if row.enterprise_id), key=lambda row: row.pk)
    known = Customer.objects.in_bulk({row.enterprise_id for row in named})
    through, places = Customer.attributions.through, set()
    fresh, changed = {}, set()
    entered = OrderEvent.objects.filter(order__in=named, kind=ENTERED).order_by()
    by_hand = set(entered.values_list("order_id", flat=True)) if named else set()
    for row in named:
        customer = known.get(row.enterprise_id)
        if customer is None:
            name = row.enterprise_name
            if row.pk in by_hand:  # others of the customer may not be indexed yet
                name = name_of(Order.objects.filter(enterprise_id=row.enterprise_id))
            customer = known[row.enterprise_id] = fresh[row.enterprise_id] = Customer(
                enterprise_id=row.enterprise_id,
                texts=_lines([row.enterprise_id, row.enterprise_name]),
                first_seen=row.received_at,
                last_seen=row.received_at,
                name=name,
                last_order=row,
            )
        elif _is_new(row.enterprise_name, customer):  # former names are searchable too
            customer.texts = f"{customer.texts}\n{folded(row.enterprise_name)}"
            changed.add(customer.pk)
        changed |= {row.enterprise_id} if _bring_up_to_date(customer, row, row.pk in by_hand) else set()
        if row.attribution_id:
            places.add((row.enterprise_id, row.attribution_id))
    Customer.objects.bulk_create([fresh[key] for key in sorted(fresh)])
    fields = ["name", "last_order", "first_seen", "last_seen", "texts"]
    Customer.objects.bulk_update([known[key] for key in sorted(changed - fresh.keys())], fields)
    rows = [through(customer_id=customer, province_id=letters) for customer, letters in sorted(places)]
    through.objects.bulk_create(rows, ignore_conflicts=True)


def _is_new(name: str, customer: Customer) -> bool:
    """Returns True if the customer did not have this name before. Returns False while the customer's texts are not set
    yet."""
    name = folded(name)
    return bool(name) and customer.texts is not None and f"\n{name}\n" not in f"\n{customer.texts}\n"


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(folded(text) for text in texts if text))


def _bring_up_to_date(customer: Customer, row: Order, by_hand: bool) -> bool:
    """Returns True if the order changed the customer. Manually entered orders do not rename the customer."""
    before = customer.name, customer.last_order_id, customer.first_seen, customer.last_seen
    if row.pk >= customer.last_order_id:
        name = customer.name if by_hand else row.enterprise_name
        customer.name, customer.last_order = name or customer.name or row.enterprise_name, row
    customer.first_seen = min(customer.first_seen, row.received_at)
    customer.last_seen = max(customer.last_seen, row.received_at)
    return before != (customer.name, customer.last_order_id, customer.first_seen, customer.last_seen)
