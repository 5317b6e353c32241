"""Withdrawals by BBOSS: BackFlag 1 (contract 3.10)."""

import datetime
import uuid

from django.db import transaction
from django.utils import timezone

from orders.content import Receipt, content_hash
from orders.error_messages import say_why_in_english
from orders.errors import NotAllowedError, RepeatCallError, TrialClaimedError, check_reason
from orders.models import AcceptedCall, Dispatch, InboundMessage, Order
from orders.services.after_giving_up import count_what_is_there
from orders.services.compensation.finish import finish_undo
from orders.services.compensation.late import ask_staff, is_late, mark_undo_asked
from orders.services.compensation.plan import CANCEL, DELETE
from orders.services.compensation.start import STILL_WRONG, begin_undo, close_never_begun, close_refused, give_ending
from orders.services.holds import WAITS_FOR_TRIAL, settle_followers
from orders.services.incidents import BUILT_UPON, LATE_UNDO, close_troubles, open_incident
from orders.services.order_state import add_event, latest_shape, lock_order
from orders.services.outbox.enqueue import wake
from orders.services.outbox.release import release
from orders.services.planning import open_claim
from orders.states import set_held, set_state, set_undo_mark

Kind, State = Order.Kind, Order.State


def withdraw_order(number: str, *, raw: dict, trans_ido: str, message: InboundMessage) -> Receipt:
    """Withdraws an order of any kind: its forward steps stop and its sent steps are undone.

    A repeat gets the first answer again.

    Raises OrderUnknownError (3004), TrialClaimedError (3005) and RepeatCallError (20002). Nothing is stored then.
    """
    digest = content_hash(raw)
    with transaction.atomic():
        order = lock_order(number)
        known = _known_call(trans_ido, digest)
        again = bool(order.withdrawal_idh)
        if not again:
            withdraw(order, by="bboss", now=timezone.now(), reason="", idh=message.trans_idh)
        message.trans_idh = order.withdrawal_idh
        if not known:
            AcceptedCall.objects.create(trans_ido=trans_ido, content_hash=digest, order=order)
        message.save(force_insert=True)
    return Receipt(order_number=order.number, trans_idh=order.withdrawal_idh, repeated=again)


def _known_call(trans_ido: str, digest: str) -> bool:
    call = AcceptedCall.objects.filter(trans_ido=trans_ido).first()
    if call and call.content_hash != digest:
        raise RepeatCallError("call_repeated")
    return call is not None


def withdraw(order: Order, *, by: str, now: datetime.datetime, reason: str, idh: str, how: str = "") -> None:
    """Withdraws a locked order. `how` is cancel or delete: staff's choice for a late undoing.

    Without that choice, an activation that has been live for long stays as it is, and staff are asked (3.9, 16). Raises
    TrialClaimedError for a trial that an activation holds.
    """
    if why := why_claimed(order):
        raise why
    order.withdrawal_idh = order.withdrawal_idh or idh
    order.save(update_fields=["withdrawal_idh"])
    add_event(order, "withdrawn", by=by, now=now, reason=reason, **({"how": how} if how else {}))
    if order.state == State.WITHDRAWN:
        return  # withdrawn with its trial, or after staff gave its steps up: nothing is left of it
    if not how and is_late(order, now):
        ask_staff(order, why="withdrawn", by=by, now=now)
        return
    if order.kind == Kind.CHANGE and must_stay(order):
        _leave_to_staff(order, by=by, now=now)
        return
    if order.kind == Kind.TRIAL:
        _withdraw_changes(order, by=by, now=now)
    if how:
        mark_undo_asked(order, now)  # until it is done, since the trial ends then
        close_troubles(order, code=LATE_UNDO, now=now, by=by)
    close_refused(order)
    begin_undo(order, ending=State.WITHDRAWN, why="withdrawn", by=by, now=now, how=how)
    finish_undo(order, now=now, by=by)
    if order.kind == Kind.TRIAL:  # activations that waited for it are held for staff
        settle_followers(order, now=now, by=by, held=WAITS_FOR_TRIAL)


def why_claimed(order: Order) -> TrialClaimedError | None:
    """None unless it is a trial that an activation holds."""
    claimed = order.kind == Kind.TRIAL and open_claim(order)
    return TrialClaimedError("trial_claimed", number=order.number) if claimed else None


def must_stay(change: Order) -> bool:
    """Whether other orders were planned on top of a change.

    Then it can't be undone alone, since their records need it.
    """
    if not change.in_effect or change.undo_since:
        return False
    return bool(open_claim(change.trial)) or latest_shape(change.trial).pk != change.pk


def _leave_to_staff(change: Order, *, by: str, now: datetime.datetime) -> None:
    """Withdraws a change but keeps its records, with an incident, since later orders were planned on top of it.

    Steps that were never begun are closed, unless something builds on their records. A later change does. An activation
    does not, since it reads only later what it must cancel.
    """
    old = set_state(change, State.WITHDRAWN, at=now)
    add_event(change, "state", by=by, now=now, old=old, new=State.WITHDRAWN)
    set_held(change, Order.Held.NOT)
    change.save(update_fields=["state", "state_since", "held_because"])
    close_troubles(change, now=now, by=by, but=STILL_WRONG)
    params = {"code": "rested_upon", "number": change.number}
    detail = say_why_in_english(params)
    open_incident(change, partner="order", step="", code=BUILT_UPON, detail=detail, now=now, params=params)
    close_refused(change)
    if latest_shape(change.trial).pk == change.pk and close_never_begun(change, but=Dispatch.Step.ASK_BILLING):
        count_what_is_there(change, now=now, by=by)
    release(now=now, order_ids=[change.pk], lanes=[change.trial_id])
    wake()


def _withdraw_changes(trial: Order, *, by: str, now: datetime.datetime) -> None:
    """Withdraws a trial's changes with it.

    It comes before the trial's own undoing, which cancels what is live. Calls that the changes had under way are
    checked first. Changes that were applied still say what the trial looked like.
    """
    changes = Order.objects.filter(trial=trial, kind=Kind.CHANGE, undo_since=None)
    for change in changes.order_by("pk").select_for_update(no_key=True):
        change.trial = trial
        set_undo_mark(change, now)
        change.in_effect = change.in_effect and change.state in {State.APPLIED, State.WITHDRAWN}
        change.save(update_fields=["undo_since", "in_effect"])
        closed = close_never_begun(change) + close_refused(change)
        add_event(change, "undo_mark", by=by, now=now, why=f"trial {trial.number} withdrawn", closed=closed, steps=[])
        give_ending(change, State.WITHDRAWN, now=now, by=by)


def withdraw_by_staff(*, number: str, reason: str, by: str, now: datetime.datetime, how: str = "") -> Order:
    """Withdraws an order for staff. A later withdrawal by BBOSS is answered as a repeat of it.

    `how` is `cancel` (from now on) or `delete`. It is required for an activation that has been live for more than a
    day, and not allowed otherwise. Raises OrderUnknownError, NotAllowedError (withdrawn already, or the reason is
    blank) and TrialClaimedError.
    """
    check_reason(reason, "a withdrawal")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_withdraw(order) or why_not_so(order, how=how, now=now):
            raise why
        withdraw(order, by=by, now=now, reason=reason.strip(), idh=uuid.uuid4().hex, how=how)
    return order


def why_not_withdraw(order: Order) -> NotAllowedError | None:
    """Why the order's state does not let staff withdraw it; None if it does.

    Staff may withdraw an activation whose late withdrawal they accepted before: nothing of it was undone.
    """
    if order.state == State.WITHDRAWN or (order.withdrawal_idh and order.undo_since):
        return NotAllowedError("withdrawn_already", number=order.number)
    return None


def why_not_so(order: Order, *, how: str, now: datetime.datetime) -> NotAllowedError | None:
    """Why it can't be withdrawn with this choice, or without one; None if it can."""
    late = is_late(order, now)
    if late and how not in {CANCEL, DELETE}:
        return NotAllowedError("choice_missing", number=order.number)
    return NotAllowedError("no_choice", number=order.number) if how and not late else None
