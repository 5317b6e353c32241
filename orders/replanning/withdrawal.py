"""Withdrawals by BBOSS (BackFlag 1) and by staff (contract 3.10)."""

import datetime
import uuid

from django.db import transaction
from django.utils import timezone

from orders.erasing.erased_orders import erase_later
from orders.history.order_locks_and_events import add_event, lock_order
from orders.history.states import set_undo_mark
from orders.incidents.incident_codes import LATE_UNDO
from orders.incidents.incidents import close_troubles
from orders.intake.facts import WAITS_FOR_TRIAL, open_claim
from orders.intake.replan_held_orders import settle_followers
from orders.models import AcceptedCall, Dispatch, InboundMessage, Order
from orders.outbox.open_moves import differs, move_of
from orders.replanning.giving_up import complete_confirmed_removals
from orders.replanning.replan_line import lock_line, open_dependency_incident, plan_behind
from orders.rules.content import HashOf, Receipt, content_hash
from orders.texts.errors import NotAllowedError, RepeatCallError, TrialClaimedError, check_reason
from orders.trials.trial_state_writes import reshape
from orders.undoing.by_staff import why_undone
from orders.undoing.finish import finish_undo
from orders.undoing.late import ask_staff, is_late, mark_undo_asked
from orders.undoing.start import begin_undo, close_never_begun, close_refused, give_ending
from orders.undoing.undo_steps import CANCEL, DELETE


def withdraw_order(
    number: str,
    *,
    raw: dict,
    trans_ido: str,
    message: InboundMessage,
    digest: str = "",
    hash_of: HashOf = content_hash,
) -> Receipt:
    """Withdraws an order. A repeat of the withdrawal gets the first answer. Raises OrderUnknownError,
    TrialClaimedError, RepeatCallError."""
    digest = digest or content_hash(raw)
    with transaction.atomic():
        order = lock_order(number)
        # Under the order's lock, so that a repeat waits for the first call and gets the first call's answer.
        known = _known_call(trans_ido, digest, hash_of)
        again = bool(order.withdrawal_idh)
        if not again:
            withdraw(order, by="bboss", now=timezone.now(), reason="", idh=message.trans_idh)
        message.trans_idh = order.withdrawal_idh
        if not known:
            AcceptedCall.objects.create(trans_ido=trans_ido, content_hash=digest, order=order)
        erase_later(message)
        message.save(force_insert=True)
    return Receipt(order_number=order.number, trans_idh=order.withdrawal_idh, repeated=again)


def _known_call(trans_ido: str, digest: str, hash_of: HashOf) -> bool:
    call = AcceptedCall.objects.filter(trans_ido=trans_ido).first()
    if call and not call.says(digest, hash_of):
        raise RepeatCallError("call_repeated")
    return call is not None


def withdraw(order: Order, *, by: str, now: datetime.datetime, reason: str, idh: str, how: str = "") -> None:
    """Withdraws a locked order. `how` is staff's choice for a late undoing: cancel or delete.

    Without that choice, an activation that has been live for more than a day stays unchanged, and staff are asked
    (contract 3.9, 16). Raises TrialClaimedError if the order is a trial with an open claim.
    """
    if why := why_claimed(order):
        raise why
    order.withdrawal_idh = order.withdrawal_idh or idh
    order.save(update_fields=["withdrawal_idh"])
    add_event(order, "withdrawn", by=by, now=now, reason=reason, **({"how": how} if how else {}))
    if order.state == Order.State.WITHDRAWN:
        return  # withdrawn with its trial, or after staff gave up its steps: nothing is left to undo
    if not how and is_late(order, now):
        ask_staff(order, why="withdrawn", by=by, now=now)
        return
    trial = order.trial or order
    # After the orders: steps are always locked last (orders/history/order_locks_and_events.py).
    lock_line(trial)
    if order.kind == Order.Kind.TRIAL:
        # Before the trial's own undoing, which replaces the undoing of the trial's changes.
        _withdraw_changes(order, by=by, now=now)
    if how:
        mark_undo_asked(order, now)  # until the undoing is done, since the trial ends then
        close_troubles(order, code=LATE_UNDO, now=now, by=by)
    close_refused(order)
    moved = begin_undo(order, ending=Order.State.WITHDRAWN, why="withdrawn", by=by, now=now, how=how)
    if order.kind == Order.Kind.TRIAL:
        reshape(order, now=now, by=by)  # without the changes that were not applied
    if order.kind == Order.Kind.CHANGE and order.trial:
        # After the undo steps have their place, since orders that have sent nothing follow the undo steps.
        plan_behind(trial, moved=moved, now=now, by=by)
        open_dependency_incident(order, now=now, by=by)
        complete_confirmed_removals(trial, now=now, by=by, beside=order)
    # If nothing was sent, the withdrawal ends here.
    finish_undo(order, now=now, by=by)
    if order.kind == Order.Kind.TRIAL:  # activations that waited for the trial are held for staff
        settle_followers(order, now=now, by=by, held=WAITS_FOR_TRIAL)


def why_claimed(order: Order) -> TrialClaimedError | None:
    """Returns the error if the order is a trial with an open claim, otherwise None."""
    claimed = order.kind == Order.Kind.TRIAL and open_claim(order)
    return TrialClaimedError("trial_claimed", number=order.number) if claimed else None


def _withdraw_changes(trial: Order, *, by: str, now: datetime.datetime) -> None:
    """Withdraws a trial's changes together with the trial, and replaces the undoing of these changes (contract 3.9,
    Resend).

    The trial's own undo steps follow. They wait for calls of the changes in progress, and cancel all live or unknown
    records. Applied changes still count in the trial's shape.
    """
    changes = Order.objects.filter(trial=trial, kind=Order.Kind.CHANGE)
    for change in changes.order_by("pk").select_for_update(no_key=True):
        change.trial = trial
        closed = close_never_begun(change) + close_refused(change) + _close_undoing(change)
        if change.undo_since is None:
            set_undo_mark(change, now)
            change.in_effect = change.in_effect and change.state == Order.State.APPLIED
            change.save(update_fields=["undo_since", "in_effect"])
            add_event(change, "undo_mark", by=by, now=now, why="trial_withdrawn", closed=closed, steps=[])
        if change.state != Order.State.WITHDRAWN:
            give_ending(change, Order.State.WITHDRAWN, now=now, by=by)
        elif closed:
            close_troubles(change, now=now, by=by)


def _close_undoing(change: Order) -> int:
    """Closes the undo steps of a change, except a call in progress."""
    rows = change.dispatches.current().filter(undo=True, channel=Dispatch.Channel.BILLING)
    rows = rows.filter(
        state__in=[
            Dispatch.State.WAITING,
            Dispatch.State.DUE,
            Dispatch.State.RETRYING,
            Dispatch.State.FAILED,
            Dispatch.State.GIVEN_UP,
        ]
    )
    return rows.update(state=Dispatch.State.CLOSED, next_try_at=None)


def withdraw_by_staff(*, number: str, reason: str, by: str, now: datetime.datetime, how: str = "") -> Order:
    """Withdraws an order for staff. A later withdrawal by BBOSS is answered as a repeat of this withdrawal.

    `how` is `cancel` (from now on) or `delete`. For an activation that has been live for more than a day, `how` is
    required. For all other orders, `how` is not allowed. Raises OrderUnknownError, TrialClaimedError, and
    NotAllowedError if the order is withdrawn already or the reason is blank.
    """
    check_reason(reason, "a withdrawal")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_withdraw(order, now) or why_not_so(order, how=how, now=now):
            raise why
        withdraw(order, by=by, now=now, reason=reason.strip(), idh=uuid.uuid4().hex, how=how)
    return order


def why_not_withdraw(order: Order, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the reason why staff can't withdraw an order, or None if staff can. This includes an order that an
    earlier, late withdrawal left unchanged."""
    if order.state == Order.State.WITHDRAWN or (order.withdrawal_idh and order.undo_since):
        return why_undone(order, "withdrawn_already", now)
    return None


def why_not_so(order: Order, *, how: str, now: datetime.datetime) -> NotAllowedError | None:
    late = is_late(order, now)
    if late and how not in {CANCEL, DELETE}:
        return NotAllowedError("choice_missing", number=order.number)
    move = move_of(order) if how == CANCEL else None
    if move and not differs(move):  # its records would be cancelled with a start that the big-data side may not have
        return NotAllowedError("move_under_way", number=order.number)
    return NotAllowedError("no_choice", number=order.number) if how and not late else None
