"""Staff accept differences and incidents (`accept`; contract 3.9, 13 and 14). Some incidents end only by an action on
billing records.

Our records get the partner's state, as it was shown to staff. Accepted differences and incidents stay listed.
"""

import datetime
from collections.abc import Collection, Mapping

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orders.actions.take import adopt, check_quiet, close_by_hand, continue_order, open_record_differences
from orders.books.books import BooksSilentError, HeldRecord, Look, fetch_records
from orders.books.differences import (
    BY_NAME,
    MAX_NAMED,
    UNKNOWN_RECORD,
    name_needed,
    told_shown,
    unknown_shown,
    update_incident,
)
from orders.books.expected_records import end_beside
from orders.books.held_records import as_meant
from orders.history.order_locks_and_events import add_event, find_order, load_records, lock_order
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, BOOKS_ONLY, DEPENDENCY_GONE, DIFFERENCE, LATE_UNDO
from orders.incidents.incidents import (
    close_parts,
    end_built_upon,
    end_incidents,
    lock_incidents,
    shared_by,
    stopping_nobody,
)
from orders.intake.replan_held_orders import settle_followers
from orders.models import AffectedOrder, Difference, Dispatch, Order, Reconciliation
from orders.outbox.outcome import ACTED_BEFORE
from orders.reconciliation.asking import (
    Answer,
    ask_and_compare,
    check_as_shown,
    check_compared,
    owner_of_records,
    why_silent,
)
from orders.reconciliation.manual_answer_guards import check_look
from orders.reconciliation.number_list import keep_unknown
from orders.reconciliation.results import begin_reconciliation, may_still_change
from orders.replanning.giving_up import NOT_BILLED, accept_removals, mark_records_left, settle_given_up_step
from orders.rules.host_names import domain_key
from orders.rules.steps import STEPS, Partner, Step
from orders.start_day.move_start import why_moving
from orders.texts.errors import NotAllowedError, OrderUnknownError, check_reason
from orders.undoing.claim_release import WAITS_FOR_CLAIM
from orders.undoing.late import end_question


def accept(
    *,
    number: str,
    incident: str = "",
    look: str = "",
    held: Answer | None = None,
    named: bool = True,
    reason: str,
    by: str,
    now: datetime.datetime,
) -> Order | None:
    """Accepts differences, and incidents in BOOKS_ONLY. Our records get the partner's state.

    `incident` is an incident code, a key of BY_NAME, or an incident id. If `incident` is empty, everything acceptable
    is accepted. For `held` and `look`, see `take`. The partner is called only if billing records are concerned. If
    `named` is false, refuses differences that must be accepted by a key of BY_NAME. If the number is unknown, its
    differences are accepted and None is returned. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "accepting")
    if not Order.objects.filter(number=number).exists():
        _accept_unknown(number, reason.strip(), look, by=by, now=now)
        return None
    answer = _ask_books(number, incident, look, by=by) if held is None else held
    with transaction.atomic():
        order = lock_order(number)
        check_quiet(order)
        if why := why_moving(order):
            raise why
        check_as_shown(order, answer)
        troubles, steps = acceptable(order, incident)
        if incident and not troubles:
            raise NotAllowedError("incident_not_accepted", number=number, incident=incident)
        if why := why_not_accept(order, bool(troubles)):
            raise why
        if about := is_about_records(order, troubles, steps):
            check_compared(order, answer)
        codes = sorted({row.incident.code for row in troubles})
        if not named:
            check_named(order, codes)
        add_event(
            order, "accepted", by=by, now=now, codes=codes, steps=[row.step for row in steps], reason=reason.strip()
        )
        _close_accepted(troubles, reason.strip(), by=by, now=now)
        for row in steps:
            row.order = order
            Dispatch.objects.filter(pk=row.pk).update(state=Dispatch.State.GIVEN_UP, next_try_at=None)
            row.state = Dispatch.State.GIVEN_UP
            _check_made(row, answer.held)
            settle_given_up_step(row, answer.held, now=now, by=by)
        held_now = answer.held if about else None
        _after_accepting(order, set(codes), steps, held_now, reason.strip(), now=now, by=by)
        continue_order(order, now=now, by=by)
    return order


def ask_to_accept(order: Order, *, by: str = "", incident: str = "", look: str = "", **_asked: object) -> Answer:
    """Returns the comparison with the partner's records. Calls the partner only if billing records are concerned.
    Raises BooksSilentError and NotAllowedError."""
    about = is_about_records(order, *acceptable(order, incident))
    manual = Look.read(look)
    check_look(manual, timezone.now())
    return ask_and_compare(order, by=by, look=manual, gone=True) if about else Answer(held=[])


def _ask_books(number: str, incident: str, look: str, *, by: str) -> Answer:
    try:
        return ask_to_accept(find_order(number), incident=incident, look=look, by=by)
    except BooksSilentError as error:
        raise why_silent(error) from error


def is_about_records(order: Order, troubles: list[AffectedOrder], steps: list[Dispatch]) -> bool:
    """Returns True if the big-data side's records are needed to accept these troubles and steps."""
    codes = {row.incident.code for row in troubles}
    acted = any(row.incident.code == ACTED_BEFORE and row.incident.partner == Partner.BIGDATA for row in troubles)
    if steps or acted or codes & {BILLED_NOT_ACTIVE, UNKNOWN_RECORD}:
        return True
    return DIFFERENCE in codes and open_record_differences(owner_of_records(order)).exists()


def names_needed(order: Order) -> dict[str, list[str]]:
    """Returns {key of BY_NAME: domains} for the order's open differences that can be accepted only by that key."""
    owner, found = owner_of_records(order), {}
    for row in differences_of(order):
        if name := name_needed(owner, row):
            found.setdefault(name, []).append(row.domain)
    return found


def differences_of(order: Order) -> QuerySet[Difference]:
    """Returns the open differences that are accepted with an order. These are the order's own differences and, for a
    change, its trial's differences of kind NOT_MEANT: both sides agree, but the order differs."""
    about = Q(order=order)
    if order.kind == Order.Kind.CHANGE:
        about |= Q(order=order.trial_id, kind=Difference.Kind.NOT_MEANT)
    return Difference.objects.filter(about, state=Difference.State.OPEN)


def check_named(order: Order, codes: Collection[str]) -> None:
    """Raises NotAllowedError if incidents of these codes include something that can be accepted only by a key of
    BY_NAME."""
    needed = names_needed(order) if DIFFERENCE in codes else {}
    name = next(iter(needed), BILLED_NOT_ACTIVE if BILLED_NOT_ACTIVE in codes else "")
    if name:
        domains = needed.get(name, [])
        said = ", ".join(domains[:MAX_NAMED]) + (f" … {len(domains)}" if len(domains) > MAX_NAMED else "")
        raise NotAllowedError(BY_NAME[name], number=order.number, state=order.state, domains=said)


def _check_made(row: Dispatch, held: list[HeldRecord]) -> None:
    """Raises NotAllowedError if the step creates records, and they are not live at the partner. Otherwise nobody would
    bill the customer."""
    if row.step == Step.CREATE_BILLING and not as_meant(row, list(load_records(row.records).values()), held):
        raise NotAllowedError("step_not_there", step=row.step)


def acceptable(order: Order, incident: str = "") -> tuple[list[AffectedOrder], list[Dispatch]]:
    """Returns the order's open incidents that `accept` ends, and its failed billing steps with unknown outcome."""
    rows = order.troubles.unresolved().select_related("incident", "order").order_by("pk")
    steps = order.dispatches.current().filter(state=Dispatch.State.FAILED, may_have_acted=True, repeat=False)
    steps = {row.step: row for row in steps.filter(channel=Dispatch.Channel.BILLING).defer("payload")}
    unknown = {name: row.error_code for name, row in steps.items()}
    troubles = [row for row in rows if ends_by_accept(row.incident.code, row.own_step, unknown)]
    if incident:
        troubles = [row for row in troubles if incident in {row.incident.code, str(row.incident_id), *_names(row)}]
    named = {name for row in troubles for name in _stopping(row.incident.code, row.own_step, unknown)}
    return troubles, [row for name, row in steps.items() if name in named]


def _stopping(code: str, step: str, unknown: Mapping[str, str]) -> set[str]:
    """Returns the steps in `unknown` ({step: error code}) that an incident covers. These are the incident's own `step`
    and, for a doubt, all steps of the same call, since they share the incident (contract 7.2)."""
    return {name for name in shared_by(step, code) if name == step or unknown.get(name) == code} & unknown.keys()


def _names(row: AffectedOrder) -> Collection[str]:
    """Returns the keys of BY_NAME that accept an incident, in addition to its code."""
    return names_needed(row.order) if row.incident.code == DIFFERENCE else ()


def ends_by_accept(code: str, step: str, unknown: Mapping[str, str]) -> bool:
    return code in BOOKS_ONLY or bool(_stopping(code, step, unknown))


def why_not_accept(order: Order, there: bool) -> NotAllowedError | None:
    """Returns the error if nothing can be accepted. `there`: True if the order has an incident that `accept` ends."""
    return None if there else NotAllowedError("nothing_to_accept", number=order.number)


def _close_accepted(troubles: list[AffectedOrder], reason: str, *, by: str, now: datetime.datetime) -> None:
    """Closes the order's part of accepted incidents. The order stays listed with reason and user. Ends incidents that
    no longer stop any order."""
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
    held: list[HeldRecord] | None,
    reason: str,
    *,
    now: datetime.datetime,
    by: str,
) -> None:
    trial, owner = order.trial if order.kind == Order.Kind.CHANGE else None, owner_of_records(order)
    rows = differences_of(order) if DIFFERENCE in codes else Difference.objects.none()
    if held is not None and not open_record_differences(owner).exclude(pk__in=rows).exists():
        adopt(owner, held, unsure=may_still_change(owner, now))  # otherwise wait until all differences are accepted
    if DIFFERENCE in codes:
        mark_records_left(_records_of(owner, rows))
        close_by_hand(rows, Difference.State.ACCEPTED, reason, by=by, now=now)
        if trial or order.kind == Order.Kind.TRIAL:
            update_incident(owner, by=by, now=now)
            end_beside(owner, now=now, by=by)
    left = any(
        row.undo and STEPS[row.step].record_state_after in NOT_BILLED and row.state == Dispatch.State.GIVEN_UP
        for row in steps
    )
    billed = order.kind == Order.Kind.ACTIVATION  # records left of an activation are accepted by BILLED_NOT_ACTIVE
    if (left and not billed) or BILLED_NOT_ACTIVE in codes:
        accept_removals(order, now=now, by=by)
    if DEPENDENCY_GONE in codes:
        end_built_upon(order, now=now, accepted_by=by[:160], reason=reason)
    asked = order.undo_asked_at and order.kind == Order.Kind.ACTIVATION  # its trial has `undo_asked_at` too
    if asked and not order.troubles.unresolved().filter(incident__code=LATE_UNDO).exists():
        end_question(order, now=now, by=by)
        settle_followers(order.trial, now=now, by=by, held=WAITS_FOR_CLAIM)


def _records_of(order: Order, rows: QuerySet[Difference]) -> list[int]:
    names = {(row.product_id, domain_key(row.domain)) for row in rows}
    records = order.billing_records.values_list("pk", "product_id", "domain_key")
    return [pk for pk, product, key in records if (product, key) in names]


def _accept_unknown(number: str, reason: str, look: str, *, by: str, now: datetime.datetime) -> None:
    """Accepts the differences of a number that only BBOSS or the partner knows. They are accepted as they were
    shown."""
    before = unknown_shown(number)
    if not before:
        raise OrderUnknownError("number_unknown", number=number)
    manual = Look.read(look)
    check_look(manual, now)
    try:
        held = fetch_records(number, manual)
    except BooksSilentError as error:
        raise why_silent(error) from error
    with transaction.atomic():
        row = begin_reconciliation(by=by, now=now)
        keep_unknown(row, number, held, by=by, now=now)
        Reconciliation.objects.filter(pk=row.pk).update(finished_at=now)
        found = unknown_shown(number)
        if found == before:
            transaction.set_rollback(True)
    if found != before:
        raise NotAllowedError("books_otherwise", number=number, found=told_shown(found))
    rows = Difference.objects.filter(job_id=number, order=None, state=Difference.State.OPEN)
    rows.update(state=Difference.State.ACCEPTED, closed_at=now, closed_by=by[:160], reason=reason)
    add_event(None, "accepted", by=by, now=now, number=number, reason=reason)
