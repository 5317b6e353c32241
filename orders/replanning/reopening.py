"""Plans an order again (contract 3.9, Resend and The shape).

A compensated order is reopened. When an order is undone, the orders of its line that have sent nothing are planned
again after its undo steps (replan_line.py).
"""

import datetime
from collections.abc import Iterable, Mapping

from django.conf import settings

from orders.bpm.received_decisions import apply_decisions, decision_in_force, settle_process
from orders.erasing.erased_orders import why_erased
from orders.history.order_locks_and_events import add_event, refresh_states
from orders.history.states import set_decision, set_undo_mark
from orders.incidents.incident_codes import COMPENSATED, PROCESS_DIFFERS
from orders.incidents.incidents import close_troubles, end_settled, open_incident
from orders.intake.facts import content_of, given_domains, open_claim, read_again
from orders.intake.plan_or_hold import is_closed, plan_order
from orders.intake.write_planned_order import claim_trial, write_plan
from orders.mails.mail_creation import tell_accepted
from orders.models import NOTES, Dispatch, Order, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.outbox.billing_effects import bpm_acts
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import FIXES, STEPS, Phase, Step
from orders.texts.error_messages import AT_ONCE, say_why_in_english
from orders.texts.errors import NotAllowedError
from orders.trials.trial_state_reads import shape_of
from orders.trials.trial_state_writes import reshape
from orders.undoing.finish import given_up_undoing

DIFFERS = {"domains": "bpm_domains", "service": "bpm_service", "start": "bpm_start"}


def claims_against(orders: Iterable[Order]) -> dict[int, TrialClaim]:
    """Returns the open claims on the trials of the first activations among the orders, by trial id. Makes at most one
    query."""
    trials = {order.trial_id for order in orders if order.first}
    rows = TrialClaim.objects.filter(trial__in=trials, released_at=None).select_related("activation") if trials else ()
    return {claim.trial_id: claim for claim in rows}


def why_not_open(order: Order, claims: Mapping[int, TrialClaim], *, rejected: bool = False) -> NotAllowedError | None:
    """Returns the reason why an undone order can't be reopened. `claims`: the result of `claims_against`. `rejected`:
    staff reverse a rejection."""
    if order.kind != Order.Kind.ACTIVATION:
        return NotAllowedError("open_no_activation")
    if why := why_erased([order]).get(order.pk):
        return why
    if order.state == Order.State.REJECTED and not rejected:
        return NotAllowedError("open_rejected")
    if order.state not in {Order.State.FAILED, Order.State.REJECTED}:
        return NotAllowedError("open_state", state=order.state)
    if order.trial and is_closed(order.trial) and not order.proceeded:
        return NotAllowedError("open_trial_closed", state=order.trial.state)
    if order.trial and order.trial.undo_asked_at:
        return NotAllowedError("open_trial_undone_late")
    claim = claims.get(order.trial_id) if order.first else None
    if claim and claim.activation_id != order.pk:
        return NotAllowedError("open_other_first", number=claim.activation.number)
    if given_up_undoing(order).exists():
        return NotAllowedError("open_billed_still")
    if order.dispatches.current().open().filter(step__in=FIXES).exists():
        return NotAllowedError("open_being_fixed")
    if not rejected and decision_in_force(order) == Order.Decision.REJECT:
        return NotAllowedError("open_rejected")
    most = settings.PARTNERS.bigdata.post.most
    if most and order.trial and (number := len(given_domains(order) or shape_of(order.trial).domains)) > most:
        return NotAllowedError("too_many", number=number, most=most)
    return None


def open_again(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Plans an undone order again, as if it arrived now with its number, kind and day. A first activation stays the
    first.

    The caller must have locked the order and its trial, and `why_not_open` must have returned None. If BPM may have a
    process, no new one is started: the step keeps its key and bytes, and a decision about the process remains valid.
    """
    before = _sent_with(order)
    decision = decision_in_force(order)
    if order.first and open_claim(order.trial) is None:
        claim_trial(order, now=now)
    order.dispatches.filter(step__in=FIXES, state=Dispatch.State.FAILED).update(superseded=True)
    set_undo_mark(order, None)
    old_state, order.undo_to, order.live_at = order.state, "", None
    process = bpm_acts(order).first()
    stands = bool(decision and process)
    set_decision(order, decision if process else Order.Decision.NONE, at=order.decided_at if stands else None)
    if order.decision and settle_process(process, now):
        process.state = Dispatch.State.DONE
    add_event(order, "opened", by=by, now=now, plan=order.plans + 1, decision=order.decision)
    plan_anew(order, now=now, by=by)
    if order.state != old_state:
        add_event(order, "state", by=by, now=now, old=old_state, new=order.state)
    close_troubles(order, step="", code=COMPENSATED, now=now, by=by)
    if order.decision:  # else it stays until the decision is applied
        close_troubles(order, step="approval", code="early", now=now, by=by)
    end_settled([order], now=now, by=by)
    if process:
        _compare_process(order, process, before, now)
        if process.state == Dispatch.State.DONE:
            process.order = order
            tell_accepted([process], now=now)
    apply_decisions(order, now=now)
    refresh_states([order], now=now, by=by)


def plan_anew(order: Order, *, now: datetime.datetime, by: str) -> None:
    """Replaces the plan and sets the state. The caller writes the event. Locks the steps so that no step is claimed
    meanwhile."""
    rows = order.dispatches.current().filter(repeat=False, position__lt=Phase.AFTER)
    old = list(rows.order_by("pk").select_for_update(no_key=True))
    content = content_of(order, domains=given_domains(order))
    facts = read_again(order, content)
    plan = plan_order(content, facts, now=now)
    kept = _kept(order, old, held=bool(plan.held))
    gone = order.dispatches.filter(pk__in=[row.pk for row in old]).exclude(pk__in=[row.pk for row in kept.values()])
    not_sent = [Dispatch.State.WAITING, Dispatch.State.DUE, Dispatch.State.RETRYING]
    gone.filter(state__in=not_sent).update(state=Dispatch.State.CLOSED, next_try_at=None)
    gone.update(superseded=True)
    write_plan(order, plan, facts, now=now, by=by, kept=kept)
    if any(row.frozen_at or row.error_code or row.place for row in old):  # a resent step has a place
        end_settled([order], now=now, by=by)
    if order.kind == Order.Kind.CHANGE and not plan.held:
        reshape(order.trial, now=now, by=by)  # end dates taken by staff may have later numbers


def _kept(order: Order, old: Iterable[Dispatch], *, held: bool) -> dict[str, Dispatch]:
    """Returns the steps of an earlier plan that the new plan keeps, by name.

    These are finished file checks and traffic queries, and the BPM step if it may have started a process. Unless the
    order is held again, file checks and traffic queries are also kept while they are due or in progress.
    """
    kept = {}
    for row in old:
        under_way = not held and row.state in OPEN_STATES
        if STEPS[row.step].survives_replanning and (under_way or row.state == Dispatch.State.DONE):
            kept[row.step] = row
    process = bpm_acts(order).first()
    if process:
        kept[Step.START_BPM] = process
    return kept


def _sent_with(order: Order) -> dict:
    """Returns the order's current values of the data that its BPM process contains."""
    start = _in_shanghai(order.start_at) if order.first and order.start_at else ""
    return {
        "domains": list(order.domains.values_list("name", flat=True)),
        "service": order.service_type_id,
        "start": start,
    }


def note_sent_with(order: Order) -> None:
    """Stores the values with which an order's BPM process was started. Call it before these values change."""
    process = bpm_acts(order).first()
    if process and process.sent_with is None:
        process.sent_with = _sent_with(order)
        process.save(update_fields=NOTES)


def _in_shanghai(moment: datetime.datetime) -> str:
    """Returns the time in Asia/Shanghai as text. Times from the database are in UTC, planned times are not."""
    return moment.astimezone(SHANGHAI).isoformat()


def _compare_process(order: Order, process: Dispatch, before: dict, now: datetime.datetime) -> None:
    """Opens an incident that lists the values that have changed since the process was started."""
    known = process.sent_with or before
    if process.sent_with is None:
        process.sent_with = before
        process.save(update_fields=NOTES)
    if known["start"]:  # earlier versions stored the start in UTC
        known = {**known, "start": _in_shanghai(datetime.datetime.fromisoformat(known["start"]))}
    new = _sent_with(order)
    differs = [name for name in DIFFERS if _shape(known[name]) != _shape(new[name])]
    if not differs or order.held_because:
        return
    parts = [
        {"code": DIFFERS[name], "there": _value_words(known[name]), "here": _value_words(new[name])} for name in differs
    ]
    detail = "; ".join(say_why_in_english(part) for part in parts)
    about: dict = {"partner": "bpm", "step": Step.START_BPM, "code": PROCESS_DIFFERS}
    open_incident(order, **about, detail=detail, params={"parts": parts}, now=now)


def _shape(value: str | list[str]) -> str | set[str]:
    return set(map(domain_key, value)) if isinstance(value, list) else value


def _value_words(value: str | list[str]) -> str:
    if isinstance(value, list):
        return ", ".join(value[:20]) + (f" and {len(value) - 20} more" if len(value) > 20 else "")
    return value or AT_ONCE
