"""Writes the plan of an order at intake, after a hold and after a resend. Only this module writes plans.

Everything here runs inside the caller's transaction, with the order and its trial locked.
"""

import datetime
from collections.abc import Iterable, Mapping

from django.db.models import Model, Q

from orders.db.compiled_sql import insert_together, reserve_ids
from orders.history.log_facts import known_facts
from orders.history.order_locks_and_events import event, refresh_states
from orders.history.states import set_held, set_state
from orders.incidents.incidents import open_incident
from orders.intake.manual_trials import ENTERED
from orders.intake.plan_or_hold import Facts, Plan, PlannedStep
from orders.mails.mail_creation import build_mail, save_mails
from orders.models import (
    AcceptedCall,
    BillingRecord,
    Dispatch,
    InboundMessage,
    Order,
    OrderDomain,
    TrialClaim,
    TrialShape,
)
from orders.models.dispatch import OPEN_STATES
from orders.outbox.enqueue import build_schedule, build_step, find_schedule, give_keys, start_plan, wake_up
from orders.outbox.release_steps import release
from orders.restore.detect_restore import remember
from orders.rules.content import OrderContent
from orders.rules.host_names import domain_key
from orders.rules.steps import STEPS, Effect, Phase, Step
from orders.trials.trial_state_writes import keep_change

RECORDS_OF = {Effect.CANCEL: "old", Effect.EXTEND: "staying"}  # fields of a plan; all other billing steps use "new"
COPIED = [
    "biz_start", "biz_end", "enterprise_id", "enterprise_name", "cp_id", "user_id", "oper_user", "oper_tel",
    "oper_mail", "prod_type", "product_id", "billing_method", "data_flow", "info_security", "info_security_table",
    "busi_info",
]  # fmt: skip
GIVEN = ["domains", "service_type", "data_flow", "biz_end"]  # what an order takes from its trial if not given


def new_order(
    content: OrderContent, *, trial: Order | None, raw: dict, digest: str, trans_idh: str, now: datetime.datetime
) -> Order:
    """Returns a new order with the values of its message, unsaved. `write_plan` adds the plan."""
    return Order(
        number=content.number,
        kind=content.kind,
        trial=trial,
        trial_number=content.trial_number,
        attribution_id=content.attribution or None,
        service_type_id=content.service_type or None,
        given=[name for name in GIVEN if getattr(content, name)],
        content=raw,
        content_hash=digest,
        trans_idh=trans_idh,
        trace=known_facts().get("trace", ""),
        received_at=now,
        state_since=now,
        **{name: getattr(content, name) for name in COPIED},
    )


def write_plan(
    order: Order,
    plan: Plan,
    facts: Facts,
    *,
    now: datetime.datetime,
    by: str,
    trans_ido: str = "",
    message: InboundMessage | None = None,
    kept: Mapping[str, Dispatch] | None = None,
) -> None:
    """Saves an order and its plan, or its hold. Its first steps become due.

    A new order is saved in one statement, with its `message`, the message's transIDO, and the task that wakes a worker.
    Without a message, `by` entered the order by hand. If an order is held for a new reason, an event, a mail and an
    incident are created. `kept`: the dispatches of an earlier plan that the new plan keeps, by step.
    """
    is_new, was, kept = order.pk is None, order.held_because, kept or {}
    _take_over(order, plan, kept, now)
    known = {} if is_new else _save(order, plan)
    records = [one.pk or known.get(domain_key(one.name)) or _record(order, one.name) for one in plan.new]
    made = [record for record in records if isinstance(record, BillingRecord)]
    is_held_anew = bool(plan.held) and plan.held != was
    events = []
    if is_new:
        kind, said = ("received", {"transIDO": trans_ido}) if message else (ENTERED, {})
        events.append(event(order, kind, by=by, now=now, **said, state=order.state))
    if is_held_anew:
        events.append(event(order, "held", by=by, now=now, because=plan.held, detail=""))
    rows: list[Model] = [order, *events, *made] if is_new else [*events, *made]
    reserve_ids(rows, facts.ids)
    if is_new:
        rows += _rows_of_new(order, plan, trans_ido, message)
    if plan.claim:
        rows.append(_claim_row(order, now))
    if not plan.held:
        ids = [record if isinstance(record, int) else record.pk for record in records]
        steps = _build_steps(order, plan, ids, kept, now)
        if is_new:
            start_plan(steps, now=now, line_moves=facts.line_moves)
        give_keys(steps, new=is_new)
        rows += steps
        if order.start_at and (is_new or not find_schedule(order)):
            rows.append(build_schedule(order))
    mails = [build_mail(order, Step.MAIL_HELD, cause=plan.held, now=now, because=plan.held)] if is_held_anew else []
    if is_new:
        rows += mails
        rows.append(wake_up(settle=order.kind == Order.Kind.TRIAL or bool(plan.held)))
    insert_together(rows)
    if events:
        remember(events[-1].pk)
    if not is_new:
        save_mails(mails)  # this hold may have been mailed before
    if is_held_anew:
        said = {"detail": None, "params": plan.why} if plan.why else {"detail": ""}
        open_incident(order, partner="order", step="", code=plan.held, now=now, mail=False, **said)
    if plan.held:
        return
    if order.kind == Order.Kind.CHANGE:
        keep_change(order.trial, plan.shape, is_new=is_new, now=now, by=by)
    if not is_new:
        release(now=now, order_ids=[order.pk])
    elif not plan.steps:
        refresh_states([order], now=now, by=by)


def _take_over(order: Order, plan: Plan, kept: Mapping[str, Dispatch], now: datetime.datetime) -> None:
    """Sets the order's fields and its state as planned."""
    for name, value in plan.fields.items():
        setattr(order, name, value)
    because, since = plan.held, now
    if not plan.held:
        order.planned_at, order.plans = now, order.plans + 1
        if order.held_because == Order.Held.FILES and Step.CHECK_FILES in kept:
            because, since = Order.Held.FILES, order.state_since  # the files are still wrong
    if because or order.held_because:
        set_held(order, because)
    if because or order.state != Order.State.IN_PROGRESS:  # a new order has this state already
        set_state(order, Order.State.HELD if because else Order.State.IN_PROGRESS, at=since)


def _save(order: Order, plan: Plan) -> dict[str, int]:
    """Saves a known order, and replaces its domains by those of the plan, in the plan's sequence.

    An activation keeps the records of its domains. Records that are neither live nor unknown are reset. Returns the ids
    of an activation's records by domain key.
    """
    order.save()
    if list(order.domains.values_list("name", flat=True)) != plan.domains:
        order.domains.all().delete()
        OrderDomain.objects.bulk_create(_domain_rows(order, plan.domains))
    if plan.held or order.kind != Order.Kind.ACTIVATION:
        return {}
    rows = order.billing_records.filter(product_id=order.product_id)
    planned = Q(domain_key__in=order.domains.values("key"))
    rows.filter(~planned, state=BillingRecord.State.TO_SEND).update(state=BillingRecord.State.DELETED)
    rows.filter(planned).exclude(state__in=BillingRecord.THERE).update(
        state=BillingRecord.State.TO_SEND, create_time=None, cancel_time=None, cancelled_at=None, accepted={}
    )
    return dict(rows.values_list("domain_key", "pk"))


def _rows_of_new(order: Order, plan: Plan, trans_ido: str, message: InboundMessage | None) -> list[Model]:
    """Returns the unsaved rows that are stored only with a new order, besides its event."""
    rows: list[Model] = [*_domain_rows(order, plan.domains)]
    if message:
        rows += [AcceptedCall(trans_ido=trans_ido, content_hash=order.content_hash, order=order), message]
    if order.kind == Order.Kind.TRIAL:
        rows.append(TrialShape(trial=order, **plan.shape.columns))
    return rows


def take_place(row: Dispatch, other: Dispatch) -> None:
    """Puts a superseded dispatch back into the plan, in the place of its replacement, and closes the replacement."""
    replaced = {"superseded": True, "state": Dispatch.State.CLOSED, "next_try_at": None}
    Dispatch.objects.filter(pk=other.pk, attempts=0).update(**replaced)
    Dispatch.objects.filter(pk=row.pk).update(superseded=False, plan=other.plan, position=other.position)


def claim_trial(order: Order, *, now: datetime.datetime) -> None:
    """Takes the claim on the (locked) trial for this activation. Raises IntegrityError if another activation holds
    it."""
    _claim_row(order, now).save(force_insert=True)


def _claim_row(order: Order, now: datetime.datetime) -> TrialClaim:
    return TrialClaim(trial=order.trial, activation=order, taken_at=now)


def _domain_rows(order: Order, names: Iterable[str]) -> list[OrderDomain]:
    return [OrderDomain(order_id=order.pk, name=name, key=domain_key(name)) for name in names]


def _record(order: Order, name: str) -> BillingRecord:
    """Returns the unsaved billing record of one of the order's domains. The record of a trial or change belongs to the
    trial."""
    own, service = order.kind == Order.Kind.ACTIVATION, order.service_type_id
    return BillingRecord(
        order=order if own else order.trial or order,
        info_type=BillingRecord.Type.COMMERCIAL if own else BillingRecord.Type.TRIAL,
        product_id=order.product_id if own else service,
        business_type=service,
        domain=name,
        domain_key=domain_key(name),
    )


def _build_steps(
    order: Order, plan: Plan, new: list[int], kept: Mapping[str, Dispatch], now: datetime.datetime
) -> list[Dispatch]:
    """Builds the plan's steps. `new`: the ids of records to create. Kept steps are not built, but moved to their new
    positions."""
    rows = []
    for position, step in enumerate(plan.steps, start=Phase.PLAN):
        if step.step in kept:
            _keep(kept[step.step], order, position, step.gate)
            continue
        effect = STEPS[step.step].effect
        records = getattr(plan, RECORDS_OF[effect]) if effect in RECORDS_OF else new
        rows.append(_build(order, step, position, records, len(plan.domains), now))
    return rows


def _build(
    order: Order, step: PlannedStep, position: int, records: list[int], domains: int, now: datetime.datetime
) -> Dispatch:
    """Builds one step of the plan. The size of a billing step is the number of its records. The size of a step that
    lists domains is the number of domains."""
    place = {"position": position, "gate": step.gate}
    if step.gate == Dispatch.Gate.START:
        place["not_before"] = order.start_at
    channel = STEPS[step.step].channel
    if channel == Dispatch.Channel.BILLING:
        return build_step(order, step.step, now=now, records=records, **place)
    return build_step(order, step.step, now=now, size=0 if channel == Dispatch.Channel.USAGE else domains, **place)


def _keep(row: Dispatch, order: Order, position: int, gate: str) -> None:
    """Moves a dispatch of an earlier plan into the new plan. If the dispatch is neither done nor open, it will be sent
    again with its key and bytes."""
    places = {"plan": order.plans, "position": position, "gate": gate, "superseded": False}
    if row.state not in {Dispatch.State.DONE, *OPEN_STATES}:
        places |= {"state": Dispatch.State.WAITING, "next_try_at": None, "tries_left": None}
        places |= {"error_code": "", "error": "", "error_params": {}}
    Dispatch.objects.filter(pk=row.pk).update(**places)
