"""Explains in English why a step or a held order waits, for `show` and `resend`. Only reads."""

from django.utils import timezone

from orders.intake.facts import open_claim
from orders.models import Dispatch, Order, Pause
from orders.outbox.proven_calls import held_steps
from orders.outbox.release_steps import in_front_of
from orders.pauses.paused_steps import holds_in_force, say_held, say_when
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import PARTNERS

ORDER_KINDS = {Order.Kind.TRIAL: "trial", Order.Kind.CHANGE: "trial change", Order.Kind.ACTIVATION: "activation"}
MAX_NAMED = 5


def waits_for(order: Order) -> list[str]:
    """Returns the reasons why an order waits: a pause, other orders, the approval or its start day. The result is empty
    if the order does not wait."""
    if order.held_because:
        return list(filter(None, [_hold_waits_for(order)]))
    return [*_paused(order), *_waits_in_line(order)]


def _waits_in_line(order: Order) -> list[str]:
    for row in order.dispatches.current().filter(state=Dispatch.State.WAITING).order_by("position", "pk"):
        ahead = in_front_of(row)
        others = [_step_of(other) for other in ahead if other.order_id != order.pk]
        if others or not ahead:
            return others[:MAX_NAMED] or list(filter(None, [_gate_waits_for(row, order)]))
    return []


def _paused(order: Order) -> list[str]:
    now = timezone.now()
    rows = order.dispatches.current().open()
    channels = rows.order_by().values_list("channel", flat=True).distinct()
    pauses = Pause.objects.in_force(now).filter(partner__in={PARTNERS[channel] for channel in channels})
    found = [f"the pause of {pause.partner} {say_when(pause)}" for pause in pauses.order_by("partner")]
    held = [row for row in holds_in_force() if held_steps(row.partner, now=now).filter(order=order).exists()]
    return found + [f"`resume {row.partner}`: {say_held(row)}" for row in held]


def step_waits_for(row: Dispatch) -> str:
    ahead = in_front_of(row)
    others = [other for other in ahead if other.order_id != row.order_id]
    if ahead and ahead[0] not in others:
        return f"its own step {ahead[0].step} ({ahead[0].state})"
    return _step_of(others[0]) if others else _gate_waits_for(row, row.order) or "its turn"


def _step_of(row: Dispatch) -> str:
    return f"{_name_of(row.order)} ({row.step}: {row.state})"


def _name_of(order: Order) -> str:
    return f"{ORDER_KINDS[order.kind]} {order.number}"


def _gate_waits_for(row: Dispatch, order: Order) -> str:
    if row.gate == Dispatch.Gate.APPROVAL and not order.decision:
        return "BPM's approval"
    if row.gate == Dispatch.Gate.START and row.not_before and row.not_before > timezone.now():
        return f"its day, {row.not_before.astimezone(SHANGHAI).isoformat(timespec='seconds')}"
    return ""


def _hold_waits_for(order: Order) -> str:
    if order.held_because == Order.Held.TRIAL_UNKNOWN:
        return f"trial {order.trial_number}, which has not arrived"
    if order.held_because == Order.Held.TRIAL_HELD:
        return f"{_name_of(order.trial)} (held: {order.trial.held_because})"
    if order.held_because in {Order.Held.CLAIM_HELD, Order.Held.TRIAL_BUSY} and (claim := open_claim(order.trial)):
        return f"{_name_of(claim.activation)} ({claim.activation.state}), which holds {_name_of(order.trial)}"
    return ""
