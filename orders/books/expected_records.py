"""Compares our records with the orders (contract 3.9, 14 and 19). The results are a separate kind of difference.

The records of both sides may agree and be wrong. A trial's live records are compared with its shape. A live commercial
record's createTime is compared with its order's start. The domains of a served order are compared with its live
records.
"""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from django.db.models import Q

from orders.books.books import CREATE, DELETE, NOTHING, Discrepancy
from orders.books.differences import close_differences, is_over, open_found, update_incident
from orders.incidents.incident_codes import DIFFERENCE
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import AffectedOrder, BillingRecord, Difference, Dispatch, Order, OrderDomain
from orders.outbox.record_selection import LEFT
from orders.outbox.release_steps import BLOCKING, NOT_FINISHED
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI
from orders.rules.trial_shape import Shape
from orders.trials.trial_state_reads import is_meant, meant_of

NOT_MEANT = Difference.Kind.NOT_MEANT
SERVED = {Order.State.ACTIVE, Order.State.SCHEDULED}
# states in which a trial's records have been created
MADE = {
    Order.State.TRIALING,
    Order.State.CONVERTED,
    Order.State.ENDED,
    Order.State.WITHDRAWN,
}
LIVE, MISSING = "live", "missing"
SEEN = {BillingRecord.State.LIVE: LIVE, BillingRecord.State.CANCELLED: "cancelled"}


def not_meant(
    orders: Collection[Order],
    records: Mapping[int, Collection[BillingRecord]],
    *,
    now: datetime.datetime,
    accepted: bool = False,
) -> dict[int, list[Discrepancy]]:
    """Returns the deviations of our records from the orders, by order.

    Unknown records, and trials with a step under way, are skipped. With `accepted`, the result also includes deviations
    accepted by staff, and live records of undone activations.
    """
    trials = [order for order in orders if order.kind == Order.Kind.TRIAL and order.state in MADE]
    moving = _moving([trial.pk for trial in trials])
    trials = [trial for trial in trials if trial.pk not in moving]
    meant = meant_of(trials, now=now)
    found = {trial.pk: _of_trial(meant[trial.pk], records[trial.pk], now=now, accepted=accepted) for trial in trials}
    served = [order for order in orders if order.kind == Order.Kind.ACTIVATION and order.state in SERVED]
    domains = defaultdict(list)
    for pk, key, name in OrderDomain.objects.filter(order__in=served).values_list("order_id", "key", "name"):
        domains[pk].append((key, name))
    for order in served:
        found[order.pk] = of_activation(order, domains[order.pk], records[order.pk], now=now, accepted=accepted)
    for order in [order for order in orders if accepted and order.kind == Order.Kind.ACTIVATION and is_over(order)]:
        live = [record for record in records[order.pk] if record.state == BillingRecord.State.LIVE]
        found[order.pk] = [_difference(record, ours="deleted", fields={}, remedy=DELETE) for record in live]
    return {pk: rows for pk, rows in found.items() if rows}


def _moving(trials: Collection[int]) -> set[int]:
    """Returns the ids of trials that have a step under way or an unfinished undo step."""
    rows = Dispatch.objects.current().filter(BLOCKING, lane__in=list(trials), state__in=NOT_FINISHED)
    return set(rows.filter(Q(attempts__gt=0) | Q(undo=True)).order_by().values_list("lane", flat=True))


def _of_trial(
    meant: Shape | None, records: Iterable[BillingRecord], *, now: datetime.datetime, accepted: bool
) -> list[Discrepancy]:
    """Returns the differences between a trial's records and its target state `meant` (None if no record should be
    live)."""
    found, live = [], set()
    for record in records:
        if record.state == BillingRecord.State.UNKNOWN:
            live.add(record.domain_key)
        elif record.state == BillingRecord.State.LIVE and not is_meant(record, meant):
            if record.cancel_time and record.cancel_time > now:
                found.append(_difference(record, ours="cancelled", fields={}))
        elif record.state == BillingRecord.State.LIVE and meant:
            live.add(record.domain_key)
            if not meant.fits(record.create_time, record.cancel_time):
                ends = {"cancelTime": [_day(meant.ends_at), _day(record.cancel_time)]}
                found.append(_difference(record, ours=LIVE, fields=ends))
    rows = {(record.product_id, record.domain_key): record for record in records}
    for key, name in meant.domains.items() if meant else ():
        if key not in live:
            found.append(_missing(rows.get((meant.service, key)), meant.service, name))
    return [one for one in found if accepted or not _is_left(one, rows)]


def of_activation(
    order: Order,
    domains: Iterable[tuple[str, str]],
    records: Iterable[BillingRecord],
    *,
    now: datetime.datetime,
    accepted: bool = False,
) -> list[Discrepancy]:
    """Returns the differences between an activation's records and its target state. In the target state, each domain is
    billed from the start on."""
    rows = {(record.product_id, record.domain_key): record for record in records}
    found = []
    for key, name in domains:
        record = rows.get((order.product_id, key))
        if record is None or record.state not in BillingRecord.THERE:
            found.append(_missing(record, order.product_id, name))
        elif record.state == BillingRecord.State.LIVE and order.start_at and record.create_time != order.start_at:
            starts = {"createTime": [_day(order.start_at), _day(record.create_time)]}
            found.append(_difference(record, ours=LIVE, fields=starts))
        elif record.state == BillingRecord.State.LIVE and record.cancel_time and record.cancel_time <= now:
            found.append(_difference(record, ours=LIVE, fields={"cancelTime": [None, _day(record.cancel_time)]}))
    return [one for one in found if accepted or not _is_left(one, rows)]


def _is_left(one: Discrepancy, rows: Mapping[tuple[str, str], BillingRecord]) -> bool:
    """Returns True if staff accepted the record as it is."""
    record = rows.get((one.product_id, domain_key(one.domain)))
    return record is not None and LEFT in record.accepted


def _difference(record: BillingRecord, *, ours: str, fields: dict, remedy: str = CREATE) -> Discrepancy:
    return Discrepancy(
        kind=NOT_MEANT,
        product_id=record.product_id,
        domain=record.domain,
        ours=ours,
        theirs=SEEN.get(BillingRecord.State(record.state), MISSING),
        remedy=remedy,
        record=record.pk,
        fields=fields,
    )


def _missing(record: BillingRecord | None, product_id: str, name: str) -> Discrepancy:
    if record:
        return _difference(record, ours=LIVE, fields={})
    return Discrepancy(kind=NOT_MEANT, product_id=product_id, domain=name, ours=LIVE, theirs=MISSING, remedy=NOTHING)


def _day(moment: datetime.datetime | None) -> str | None:
    return moment and f"{moment.astimezone(SHANGHAI):%Y%m%d%H%M%S}"


def note_not_meant(
    trial: Order, *, now: datetime.datetime, by: str, beside: Order | None = None, opens: bool = True
) -> None:
    """Updates a (locked) trial's differences from its shape. With `opens=False`, differences are only closed."""
    if _moving([trial.pk]):
        return
    rows = not_meant([trial], {trial.pk: list(trial.billing_records.all())}, now=now).get(trial.pk, [])
    found = {(one.product_id, one.domain): one for one in rows}
    known = trial.differences.filter(kind=NOT_MEANT, state=Difference.State.OPEN)
    over = [row.pk for row in known if (row.product_id, row.domain) not in found]
    if over:
        close_differences(Difference.objects.filter(pk__in=over), by=by, now=now)
    had = set(known.values_list("product_id", "domain"))
    new = [one for key, one in found.items() if key not in had] if opens else []
    if new:
        open_found(trial, new, by=by, now=now)
    elif over:
        update_incident(trial, by=by, now=now)
    if beside and beside.pk != trial.pk and found:
        detail = f"the records of {trial.number} are not as its orders say"
        open_incident(beside, partner="bigdata", step="", code=DIFFERENCE, detail=detail, now=now, mail=False)
    elif not found:
        end_beside(trial, now=now, by=by)


def end_beside(trial: Order, *, now: datetime.datetime, by: str) -> None:
    """Ends the incident `difference` for changes listed with their trial, once the trial has no differences left."""
    if trial.differences.filter(kind=NOT_MEANT, state=Difference.State.OPEN).exists():
        return
    named = AffectedOrder.objects.unresolved().filter(order__trial=trial, incident__code=DIFFERENCE)
    changes = Order.objects.filter(pk__in=named.values("order"), kind=Order.Kind.CHANGE)
    for order in changes.exclude(differences__state=Difference.State.OPEN):
        order.trial = trial
        close_troubles(order, step="", code=DIFFERENCE, now=now, by=by)
