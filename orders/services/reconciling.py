"""Keeps what a comparison with the big-data side found, and plans what puts it right (contract section 5, `reconcile`).

A fix is a dispatch like all others. It stands before the order's other steps, so that none of them overtakes it, and
at the front of its trial's line; it is made under the order's lock, and only while no billing step is under way.
"""

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, Q

from orders.models import BillingRecord, Difference, Dispatch, Order, Reconciliation
from orders.models.dispatch import FIXES, OPEN_STATES
from orders.services.events import add_event
from orders.services.locking import lock_orders
from orders.services.mails import queue_mail
from orders.services.wakeup import wake

State, Step, Record = Dispatch.State, Dispatch.Step, BillingRecord.State
FIRST = 1  # the place in a trial's line that comes before all others
SOON = datetime.timedelta(minutes=5)
SETTLED = {"live": Record.LIVE, "cancelled": Record.CANCELLED, "missing": Record.DELETED}
Snapshot = dict[int, tuple[str, int | None]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One difference to be kept; `remedy`: create, delete or settle (see integrations.bigdata.comparison).

    `record`: our record's id, if there is one. `named`: their row as a deletion names it. `theirs`: live, cancelled or
    missing.
    """

    kind: str
    product_id: str
    domain: str
    theirs: str
    remedy: str
    record: int | None
    named: dict
    detail: dict = field(default_factory=dict)


def begin_reconciliation(*, by: str, now: datetime.datetime) -> Reconciliation:
    """The row of a comparison that begins now."""
    return Reconciliation.objects.create(started_at=now, by=by[:160])


def busy_orders(ids: Collection[int], *, now: datetime.datetime) -> set[int]:
    """Which of these orders can't be compared now: a billing step on their records is under way or about to be, or
    they are being undone."""
    under_way = Q(state__in=OPEN_STATES) | Q(state=State.WAITING) & (Q(undo=True) | Q(not_before__lte=now + SOON))
    steps = Dispatch.objects.filter(under_way, channel=Dispatch.Channel.BILLING, superseded=False)
    return {
        *steps.filter(order__in=ids).values_list("order_id", flat=True),
        *steps.filter(lane__in=ids).values_list("lane", flat=True),
        *Order.objects.filter(pk__in=ids, state=Order.State.COMPENSATING).values_list("pk", flat=True),
    }


def snapshot(records: Iterable[BillingRecord]) -> Snapshot:
    """What would change if a step acted on these records meanwhile."""
    return {record.pk: (record.state, record.dispatch_id) for record in records}


@transaction.atomic
def keep_findings(
    row: Reconciliation, order_id: int, findings: list[Finding], *, seen: Snapshot, fix: bool, by: str,
    now: datetime.datetime,
) -> list[Difference] | None:  # fmt: skip
    """Saves an order's differences and, with `fix`, plans what puts them right; returns the rows.

    None, and nothing saved, if a step has acted on the order since its records were read (`seen`).
    """
    order = lock_orders([order_id])[order_id]
    if busy_orders([order_id], now=now) or snapshot(order.billing_records.all()) != seen:
        return None
    steps = _fix(row, order, findings, by=by, now=now) if fix else {}
    differences = [
        Difference(
            reconciliation=row, order=order, job_id=order.number, kind=finding.kind, product_id=finding.product_id,
            domain=finding.domain, detail=finding.detail, fix=steps.get(finding.remedy),
        )
        for finding in findings
    ]  # fmt: skip
    return Difference.objects.bulk_create(differences, batch_size=500)


def _fix(
    row: Reconciliation, order: Order, findings: list[Finding], *, by: str, now: datetime.datetime
) -> dict[str, Dispatch]:
    """The steps that put the order right, by remedy; what was unknown is settled at once."""
    settled = [finding for finding in findings if finding.remedy == "settle"]
    for finding in settled:
        BillingRecord.objects.filter(pk=finding.record).update(state=SETTLED[finding.theirs])
    again = [finding.record for finding in findings if finding.remedy == "create"]
    gone = [finding.named for finding in findings if finding.remedy == "delete"]
    order.dispatches.filter(step__in=FIXES, state=State.FAILED).update(superseded=True)
    steps = {}
    if again:
        steps["create"] = _step(order, Step.FIX_CREATE, now, reconciliation=row.pk, fixes=again)
    if gone:
        steps["delete"] = _step(order, Step.FIX_DELETE, now, reconciliation=row.pk, named=gone)
    about = {finding.domain: finding.theirs for finding in settled}
    add_event(
        order, "reconciliation_fix", by=by, now=now, reconciliation=row.pk,
        steps=[step.step for step in steps.values()], settled=about,
    )  # fmt: skip
    if steps:
        wake()
    return steps


def _step(order: Order, step: str, now: datetime.datetime, **about) -> Dispatch:
    """A fix that is due at once. On an order that was undone it belongs to the undoing."""
    trial = order.kind == Order.Kind.TRIAL
    return Dispatch.objects.create(
        order=order,
        step=step,
        channel=Dispatch.Channel.BILLING,
        position=0,
        undo=order.undo_since is not None,
        lane=order.pk if trial else None,
        place=FIRST if trial else None,
        about=about,
        size=len(about.get("fixes") or about["named"]),
        state=State.DUE,
        next_try_at=now,
        created_at=now,
    )


def add_counts(row: Reconciliation, *, orders: int, records: int, differences: int, fixed: int) -> None:
    """What was compared and found since it was last said."""
    Reconciliation.objects.filter(pk=row.pk).update(
        orders=F("orders") + orders,
        records=F("records") + records,
        differences=F("differences") + differences,
        fixed=F("fixed") + fixed,
    )


@transaction.atomic
def end_reconciliation(row: Reconciliation, *, error: str, now: datetime.datetime, newest: int | None) -> None:
    """Closes it, with an event and a mail to the default contact, even when it found nothing.

    The mail goes through the newest order compared (`newest`), or the newest that there is; without any order there is
    nothing to compare and nobody is told.
    """
    Reconciliation.objects.filter(pk=row.pk).update(finished_at=now, error=error)
    row.refresh_from_db()
    counts = {name: getattr(row, name) for name in ("orders", "records", "differences", "fixed", "error")}
    add_event(None, "reconciled", by=row.by, now=now, reconciliation=row.pk, **counts)
    order = Order.objects.filter(pk=newest).first() if newest else Order.objects.order_by("-pk").first()
    if order:
        queue_mail(order, Step.MAIL_RECONCILED, now=now, reconciliation=row.pk, **counts)
        wake()
