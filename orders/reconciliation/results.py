"""Stores the results of a comparison with the big-data side (contract section 5, `reconcile`).

The results are differences, their incidents, records with a state from the answer and, with `--fix`, correcting steps.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from django.db import transaction
from django.db.models import F

from orders.books.books import CREATE, DELETE, SETTLE, Discrepancy, OrderComparison
from orders.books.differences import (
    close_differences,
    end_what_is_over,
    first_found,
    is_over,
    keep_age,
    note_checked,
    of_order,
    shown_of,
    update_incident,
    without_accepted,
)
from orders.books.expected_records import MADE, end_beside, not_meant
from orders.books.fixes import FixPlan, obstacles, plan_fix
from orders.books.held_records import NAMES_IT, TAKEN, identity
from orders.history.order_locks_and_events import add_event, lock_order, lock_orders
from orders.mails.mail_creation import queue_mail
from orders.models import BillingRecord, Difference, Dispatch, Order, Reconciliation
from orders.outbox.billing_effects import late_calls
from orders.outbox.enqueue import wake
from orders.replanning.giving_up import complete_confirmed_removals, given_up_removals
from orders.rules.host_names import domain_key
from orders.rules.steps import Step
from orders.texts.errors import NotAllowedError, check_reason
from orders.trials.trial_state_reads import is_meant, meant_of, shape_of
from orders.trials.trial_state_writes import refresh_trial

STATE_OF_THEIRS = {
    "live": BillingRecord.State.LIVE,
    "cancelled": BillingRecord.State.CANCELLED,
    "missing": BillingRecord.State.DELETED,
}
Snapshot = dict[int, tuple[str, int | None, datetime.datetime | None]]


def begin_reconciliation(*, by: str, now: datetime.datetime, whole: bool = False) -> Reconciliation:
    """Creates the row of a comparison that begins now. `whole`: the comparison is about all orders."""
    return Reconciliation.objects.create(started_at=now, by=by[:160], whole=whole)


def snapshot(records: Iterable[BillingRecord]) -> Snapshot:
    """Returns the columns of the records that change whenever a step acts on them."""
    return {record.pk: (record.state, record.dispatch_id, record.cancel_time) for record in records}


@transaction.atomic
def keep_discrepancies(
    row: Reconciliation,
    order_id: int,
    discrepancies: list[Discrepancy],
    *,
    our_snapshot: Snapshot,
    but: Collection[tuple[str, str]] = (),
    fix: bool,
    by: str,
    now: datetime.datetime,
    reason: str = "",
    again: bool = False,
    mail: bool = True,
) -> list[Difference] | None:
    """Stores an order's differences and closes its earlier differences. With `fix`, also plans the correcting steps.

    Returns the new rows. With a `reason`, a fix deletes records that we lack, although the order is in force. `again`:
    a fix also corrects differences that staff accepted before. `mail=False`: sends no mail, since staff started the
    comparison and see the result. `but`: records that were not compared, by productId and domain key. Their differences
    stay. A record of unknown state gets the state from the big-data side, with or without `fix`. If a step has changed
    the records since `our_snapshot` was taken, stores nothing and returns None.
    """
    trial = Order.objects.filter(pk=order_id).values_list("trial_id", flat=True).first()
    order = lock_orders({order_id, trial} - {None})[order_id]
    records = {record.pk: record for record in order.billing_records.all()}
    obstacle = obstacles([order], now=now).get(order_id)
    if obstacle and obstacle.moving or snapshot(records.values()) != our_snapshot:
        return None
    discrepancies = _settle(order, without_accepted(order, discrepancies), records, now)
    discrepancies = _drop_given_up(order, discrepancies, records, now=now, by=by)
    differing = {one.record for one in discrepancies if one.remedy != SETTLE}
    meant = not_meant([order], {order.pk: list(records.values())}, now=now, accepted=again).get(order.pk, [])
    meant = [one for one in meant if (one.product_id, domain_key(one.domain)) not in but]
    discrepancies += [one for one in meant if one.record is None or one.record not in differing]
    left = [{}] * len(discrepancies)
    if fix:
        left = FixPlan(order, obstacle, reason=reason, now=now).judge(discrepancies, records)
    known, before = first_found(of_order(order)), shown_of(order)
    note_checked(order, now=now)
    stay = [row.pk for row in of_order(order) if (row.product_id, domain_key(row.domain)) in but] if but else []
    close_differences(of_order(order).exclude(pk__in=stay), by=by, now=now)
    mended = [one for one, why in zip(discrepancies, left, strict=True) if why is None]
    if again:
        mended = _accepted_no_more(order, mended, records)
    steps = plan_fix(row, order, mended, now=now)
    rows = [_difference(row, order, *pair, steps, by, now) for pair in zip(discrepancies, left, strict=True)]
    keep_age(rows, known, now)
    rows = Difference.objects.bulk_create(rows, batch_size=500)
    update_incident(order, by=by, now=now, mail=mail)
    end_what_is_over(order, by=by, now=now)
    if order.kind == Order.Kind.TRIAL:
        refresh_trial(order, by=by, now=now)
        end_beside(order, by=by, now=now)
    noted = _note_fix(row, order, steps, discrepancies, reason=reason, by=by, now=now)
    if not noted and (reason or shown_of(order) != before):  # a user who is deciding about it must see the change
        add_event(order, "compared", by=by, now=now, reason=reason, differences=len(rows))
    return rows


def compare_order(
    *, number: str, held: OrderComparison, fix: bool, again: bool = False, reason: str, by: str, now: datetime.datetime
) -> list[Difference]:
    """Stores a finished comparison, for `reconcile ORDER [--fix]` by staff. `again`: see `keep_discrepancies`.

    Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "putting the books right" if fix else "a comparison")
    with transaction.atomic():
        order = lock_order(number)
        row = begin_reconciliation(by=by, now=now)
        kept = keep_discrepancies(
            row,
            order.pk,
            held.discrepancies,
            our_snapshot=held.our_snapshot,
            fix=fix,
            by=by,
            now=now,
            reason=reason.strip(),
            again=again,
            mail=False,
        )
        if kept is None:
            raise NotAllowedError("billing_under_way", number=number)
        fixed = sum(one.fix_id is not None or one.state == Difference.State.OVER for one in kept)
        add_counts(row, orders=1, records=held.records, differences=len(kept), fixed=fixed)
        Reconciliation.objects.filter(pk=row.pk).update(finished_at=now)
    return kept


def _accepted_no_more(
    order: Order, mended: list[Discrepancy], records: Mapping[int, BillingRecord]
) -> list[Discrepancy]:
    """Removes accepted values from the records that a fix corrects. Keeps the accepted values that identify a record at
    the big-data side.

    If the fix deletes a record, our record is set to deleted.
    """
    changed, found = [], []
    for one in mended:
        record = records.get(one.record)
        if record:
            changed.append(record)
            if one.remedy == DELETE:
                record.state = BillingRecord.State.DELETED
                one = replace(one, named=_named(order, record))
            record.accepted = {name: said for name, said in record.accepted.items() if name in NAMES_IT}
        found.append(one)
    BillingRecord.objects.bulk_update(changed, ["state", "accepted"], batch_size=500)
    return found


def _named(order: Order, record: BillingRecord) -> dict[str, str]:
    product, _key, info_type, enterprise = identity(record, order)
    names = {"productId": product, "domain": record.domain, "enterpriseId": enterprise, "infoType": info_type}
    return {"jobId": order.number, **names}


def _settle(
    order: Order, discrepancies: list[Discrepancy], records: Mapping[int, BillingRecord], now: datetime.datetime
) -> list[Discrepancy]:
    """Gives unknown records the partner's state and times. If an unanswered call may still take effect, leaves them
    unknown and drops their differences.

    If a missing record must exist, sets our record to live and changes the difference to `not_billed`.
    """
    unknown = [one.record for one in discrepancies if one.remedy == SETTLE]
    if unknown and may_still_change(order, now):
        discrepancies = [one for one in discrepancies if one.record not in unknown]
    changed, kept = [], []
    for one in discrepancies:
        if one.remedy == SETTLE:
            record = records[one.record]
            record.state = STATE_OF_THEIRS[one.theirs]
            if one.theirs == "missing" and _must_be_live(order, record):
                record.state = BillingRecord.State.LIVE
                one = replace(one, kind=Difference.Kind.NOT_BILLED, remedy=CREATE)
            _copy_times(record, one)
            changed.append(record)
        kept.append(one)
    BillingRecord.objects.bulk_update(changed, TAKEN, batch_size=500)
    return kept


def may_still_change(order: Order, now: datetime.datetime) -> bool:
    return bool(late_calls(orders=[order.pk], serial_trial_ids=[order.pk], now=now))


def _drop_given_up(
    order: Order,
    discrepancies: list[Discrepancy],
    records: Mapping[int, BillingRecord],
    *,
    now: datetime.datetime,
    by: str,
) -> list[Discrepancy]:
    """Drops the discrepancies of records that are neither live nor meant to be live, even if staff gave up their
    removal. Sets our records to the partner's state, unless a call may still change them."""
    billed = {pk for row in given_up_removals(order) for pk in row.records} | _not_wanted(order, records, now)
    gone = [one for one in discrepancies if one.record in billed and one.theirs != "live"]
    for one in gone if gone and not may_still_change(order, now) else ():
        record = records[one.record]
        record.state = STATE_OF_THEIRS[one.theirs]
        _copy_times(record, one)
        record.save(update_fields=TAKEN)
    complete_confirmed_removals(order, now=now, by=by)
    return [one for one in discrepancies if one not in gone]


def _not_wanted(order: Order, records: Mapping[int, BillingRecord], now: datetime.datetime) -> set[int]:
    if order.kind == Order.Kind.ACTIVATION and is_over(order):
        return {pk for pk, record in records.items() if record.state == BillingRecord.State.LIVE}
    if order.kind != Order.Kind.TRIAL or order.state not in MADE:
        return set()
    meant = meant_of([order], now=now)[order.pk]
    return {
        pk for pk, record in records.items() if record.state == BillingRecord.State.LIVE and not is_meant(record, meant)
    }


def _must_be_live(order: Order, record: BillingRecord) -> bool:
    if record.info_type == BillingRecord.Type.COMMERCIAL:
        return order.state in {Order.State.SCHEDULED, Order.State.ACTIVE}
    return order.state == Order.State.TRIALING and is_meant(record, shape_of(order))


def _copy_times(record: BillingRecord, one: Discrepancy) -> None:
    """Copies the partner's times, since the partner may not have applied ours."""
    created, ends = one.times
    record.create_time = created or record.create_time
    if record.state == BillingRecord.State.CANCELLED:
        record.cancelled_at = ends or record.cancelled_at
    else:
        record.cancel_time = ends or record.cancel_time


def _difference(
    row: Reconciliation,
    order: Order,
    one: Discrepancy,
    left: dict | None,
    steps: Mapping[str, Dispatch],
    by: str,
    now: datetime.datetime,
) -> Difference:
    """Builds a difference. If the query itself has settled it, it is closed at once."""
    over = {"state": Difference.State.OVER, "closed_at": now, "closed_by": by[:160]} if one.remedy == SETTLE else {}
    return Difference(
        reconciliation=row,
        order=order,
        job_id=order.number,
        kind=one.kind,
        product_id=one.product_id[:64],
        domain=one.domain[:255],
        detail=one.detail | ({"left": left} if left else {}),
        fix=steps.get(one.remedy) if left is None else None,
        **over,
    )


def _note_fix(
    row: Reconciliation,
    order: Order,
    steps: Mapping[str, Dispatch],
    discrepancies: Iterable[Discrepancy],
    *,
    reason: str,
    by: str,
    now: datetime.datetime,
) -> bool:
    """Writes an event about the steps that the comparison planned and the records that it settled. Returns True if
    there are any."""
    settled = {one.domain: one.theirs for one in discrepancies if one.remedy == SETTLE}
    if not steps and not settled:
        return False
    add_event(
        order,
        "reconciliation_fix",
        by=by,
        now=now,
        reconciliation=row.pk,
        reason=reason,
        steps=[step.step for step in steps.values()],
        settled=settled,
    )
    if steps:
        wake()
    return True


def add_counts(row: Reconciliation, **counts: int) -> None:
    """Adds to the row's counts: orders, records, differences, fixed."""
    if counts:
        Reconciliation.objects.filter(pk=row.pk).update(**{name: F(name) + number for name, number in counts.items()})


@transaction.atomic
def end_reconciliation(
    row: Reconciliation, *, error: str, now: datetime.datetime, listed: int | None = None, mail: bool = True
) -> None:
    """Ends a comparison. Writes an event and a mail to the default contact, even if the comparison found nothing.

    `listed`: the number of order numbers in BBOSS's list, if there was a list. With `mail=False` no mail is sent, since
    staff named the orders and see the result.
    """
    Reconciliation.objects.filter(pk=row.pk).update(finished_at=now, error=error)
    row.refresh_from_db()
    counts = {name: getattr(row, name) for name in ("orders", "records", "differences", "fixed", "error")}
    about = {} if listed is None else {"listed": listed}
    add_event(None, "reconciled", by=row.by, now=now, reconciliation=row.pk, **counts, **about)
    if not mail:
        return
    queue_mail(None, Step.MAIL_RECONCILED, cause=f"reconciliation {row.pk}", now=now, reconciliation=row.pk, **counts)
    wake()
