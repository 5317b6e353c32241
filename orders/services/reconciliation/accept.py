"""Staff live with differences, and with incidents that only the books end (`accept`; contract 3.9, 13 and 14).

Our records take the partner's state, and what is accepted stays listed.
"""

import datetime
from collections.abc import Collection

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.books import HeldRecord
from orders.content import domain_key
from orders.errors import NotAllowedError, OrderUnknownError, check_reason
from orders.models import AffectedOrder, Difference, Dispatch, Order
from orders.services.compensation.late import end_question
from orders.services.giving_up import NOT_BILLED, accept_removals, mark_records_left, settle_given_up_step
from orders.services.holds import settle_followers
from orders.services.incidents import (
    BILLED_NOT_ACTIVE,
    BOOKS_ONLY,
    BUILT_UPON,
    DIFFERENCE,
    LATE_UNDO,
    close_parts,
    end_built_upon,
    end_incidents,
    lock_incidents,
    stopping_nobody,
)
from orders.services.moving import why_moving
from orders.services.order_writes import add_event, lock_order
from orders.services.outbox.outcome import ACTED_BEFORE
from orders.services.reconciliation.differences import update_incident
from orders.services.reconciliation.meant import end_beside
from orders.services.reconciliation.take import (
    adopt,
    ask_books,
    check_quiet,
    close_by_hand,
    continue_order,
    open_record_differences,
)
from orders.services.trials import WAITS_FOR_CLAIM
from orders.steps import STEPS

State, Kind = Dispatch.State, Order.Kind


def accept(
    *,
    number: str,
    incident: str = "",
    held: list[HeldRecord] | None = None,
    reason: str,
    by: str,
    now: datetime.datetime,
) -> Order | None:
    """Accepts differences, and incidents that only the books end. Our records get the partner's state.

    `incident` is a code or the incident's id; if empty, everything acceptable is accepted. For `held` see `take`. For a
    number that we do not know, its differences are accepted and the result is None. Raises OrderUnknownError and
    NotAllowedError.
    """
    check_reason(reason, "accepting")
    if not Order.objects.filter(number=number).exists():
        _accept_unknown(number, reason.strip(), by=by, now=now)
        return None
    held = ask_books(number) if held is None else held
    with transaction.atomic():
        order = lock_order(number)
        check_quiet(order)
        if why := why_moving(order):
            raise why
        troubles, steps = acceptable(order, incident)
        if incident and not troubles:
            raise NotAllowedError("incident_not_accepted", number=number, incident=incident)
        if why := why_not_accept(order, bool(troubles)):
            raise why
        codes = sorted({row.incident.code for row in troubles})
        add_event(
            order, "accepted", by=by, now=now, codes=codes, steps=[row.step for row in steps], reason=reason.strip()
        )
        _close_accepted(troubles, reason.strip(), by=by, now=now)
        for row in steps:
            row.order = order
            Dispatch.objects.filter(pk=row.pk).update(state=State.GIVEN_UP, next_try_at=None)
            row.state = State.GIVEN_UP
            settle_given_up_step(row, held, now=now, by=by)
        _after_accepting(order, set(codes), steps, held, reason.strip(), now=now, by=by)
        continue_order(order, now=now, by=by)
    return order


def acceptable(order: Order, incident: str = "") -> tuple[list[AffectedOrder], list[Dispatch]]:
    """What `accept` ends: an order's open troubles, and failed billing steps whose outcome nobody knows."""
    rows = order.troubles.unresolved().select_related("incident", "order").order_by("pk")
    steps = order.dispatches.current().filter(state=State.FAILED, may_have_acted=True, repeat=False)
    steps = {row.step: row for row in steps.filter(channel=Dispatch.Channel.BILLING).defer("payload")}
    troubles = [row for row in rows if ends_by_accept(row.incident.code, row.incident.step, steps)]
    if incident:
        troubles = [row for row in troubles if incident in {row.incident.code, str(row.incident_id)}]
    named = {row.incident.step for row in troubles}
    return troubles, [row for name, row in steps.items() if name in named]


def ends_by_accept(code: str, step: str, unknown: Collection[str]) -> bool:
    return code in BOOKS_ONLY or step in unknown


def why_not_accept(order: Order, there: bool) -> NotAllowedError | None:
    """None if there is something to live with: an incident that `accept` ends."""
    return None if there else NotAllowedError("nothing_to_accept", number=order.number)


def _close_accepted(troubles: list[AffectedOrder], reason: str, *, by: str, now: datetime.datetime) -> None:
    """Closes accepted troubles. They stay listed with reason and user. An incident that stops nobody any more ends."""
    ids = [row.pk for row in troubles]
    lock_incidents({(row.incident.partner, row.incident.code) for row in troubles})
    AffectedOrder.objects.filter(pk__in=ids).update(closed_at=now, accepted_by=by[:160], reason=reason)
    incidents = {row.incident_id for row in troubles}
    for order in {row.order_id: row.order for row in troubles}.values():
        close_parts(order, incidents, now=now, accepted_by=by[:160], reason=reason)
    end_incidents(stopping_nobody(incidents), now=now)


def _after_accepting(
    order: Order,
    codes: set[str],
    steps: list[Dispatch],
    held: list[HeldRecord],
    reason: str,
    *,
    now: datetime.datetime,
    by: str,
) -> None:
    trial = order.trial if order.kind == Kind.CHANGE else None
    owner_of_records = trial or order
    differs = DIFFERENCE in codes and open_record_differences(owner_of_records).exists()
    if differs or codes & {BILLED_NOT_ACTIVE, ACTED_BEFORE}:
        adopt(owner_of_records, held)
    if DIFFERENCE in codes:
        about = Q(order=order)
        if trial:
            about |= Q(order=trial, kind=Difference.Kind.NOT_MEANT)
        rows = Difference.objects.filter(about, state=Difference.State.OPEN)
        mark_records_left(_records_of(owner_of_records, rows))
        close_by_hand(rows, Difference.State.ACCEPTED, reason, by=by, now=now)
        if trial or order.kind == Kind.TRIAL:
            update_incident(owner_of_records, by=by, now=now)
            end_beside(owner_of_records, now=now, by=by)
    left = any(row.undo and STEPS[row.step].leaves in NOT_BILLED and row.state == State.GIVEN_UP for row in steps)
    if left or BILLED_NOT_ACTIVE in codes:
        accept_removals(order, now=now, by=by)
    if BUILT_UPON in codes:
        end_built_upon(order, now=now, accepted_by=by[:160], reason=reason)
    asked = order.undo_asked_at and order.kind == Kind.ACTIVATION  # its trial has the mark too
    if asked and not order.troubles.unresolved().filter(incident__code=LATE_UNDO).exists():
        end_question(order, now=now, by=by)
        settle_followers(order.trial, now=now, by=by, held=WAITS_FOR_CLAIM)


def _records_of(order: Order, rows: QuerySet[Difference]) -> list[int]:
    names = {(row.product_id, domain_key(row.domain)) for row in rows}
    records = order.billing_records.values_list("pk", "product_id", "domain_key")
    return [pk for pk, product, key in records if (product, key) in names]


def _accept_unknown(number: str, reason: str, *, by: str, now: datetime.datetime) -> None:
    """Accepts the differences of a number that BBOSS or the partner knows and we do not."""
    rows = Difference.objects.filter(job_id=number, order=None, state=Difference.State.OPEN)
    if not rows.update(state=Difference.State.ACCEPTED, closed_at=now, closed_by=by[:160], reason=reason):
        raise OrderUnknownError("number_unknown", number=number)
    add_event(None, "accepted", by=by, now=now, number=number, reason=reason)
