"""Plans an order and saves the plan, or holds the order with a reason (contract 3.2, 3.9, 1 and 3, 3.10).

Everything here runs inside the caller's transaction, with the trial locked. So a trial's orders are planned one at a
time.
"""

import datetime
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Model, Q

from orders.content import domain_key
from orders.db.compiled_sql import Prepared, Slot, insert_rows, new_row
from orders.errors import ContentError
from orders.local_time import SHANGHAI, midnight
from orders.models import BillingRecord, Dispatch, Order, OrderDomain, Province, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.plan import PlanFacts, PlannedStep, build_plan
from orders.queries.shapes import said_by
from orders.services.order_state import TrialFacts
from orders.services.outbox.enqueue import build_step, enqueue, give_keys, start_plan
from orders.services.outbox.release import release
from orders.services.shape import keep_shape, kept_shape, next_number, refresh_trial, reshape, trial_record
from orders.services.start_day_schedule import build_schedule, find_schedule
from orders.shape import Shape, after
from orders.states import set_held, set_state
from orders.steps import STEPS, Effect, Phase, Step

Held, Kind, State = Order.Held, Order.Kind, Order.State
RECORDS_OF = {Effect.CANCEL: "old", Effect.EXTEND: "staying"}  # in a settlement; all other billing steps have "new"
CLOSED_TRIAL = {State.WITHDRAWN, State.ENDED, State.COMPENSATING}
SHOWN = ("attribution_id", "enterprise_id", "enterprise_name")  # of its trial, also while an order is held
FROM_TRIAL = (*SHOWN, "cp_id", "user_id", "oper_user", "oper_tel", "oper_mail")

OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None))
UNDO_ASKED = Prepared(
    lambda: Order.objects.filter(trial=Slot("trial"), undo_asked_at__isnull=False).values_list("pk", flat=True)[:1]
)
ATTRIBUTION = Prepared(lambda: Province.objects.filter(code=Slot("code")).order_by("pk")[:1])


@dataclass
class Settlement:
    """What was decided about an order. `save_plan` saves it.

    `old` are the ids of trial records that exist and will be cancelled. `new` are records that will be made. Those
    without an id have no row yet. `staying` are the ids of those that get a new end. A trial's records are read anew
    when a step is first attempted (contract 3.9, 19). `domains` are the names of the order's own list. `claim`: the
    order takes the claim. `shape`: what its trial is meant to be, if the order is a trial or a change.
    """

    held: str = Held.NOT
    domains: list[str] = field(default_factory=list)
    steps: list[PlannedStep] = field(default_factory=list)
    old: list[int] = field(default_factory=list)
    new: list[BillingRecord] = field(default_factory=list)
    staying: list[int] = field(default_factory=list)
    claim: bool = False
    shape: Shape | None = None


def settle(order: Order, *, domains: list[str], facts: TrialFacts, now: datetime.datetime) -> Settlement:
    """Decides about an order that was just received or was held. Fills the order's fields, and saves nothing.

    `domains` are those of the message. `facts` are about its (locked) trial. Raises ContentError for an activation that
    turns out to be a subsequent one without ProvContent.
    """
    decide = {Kind.TRIAL: _settle_trial, Kind.CHANGE: _settle_change, Kind.ACTIVATION: _settle_activation}
    decision = Settlement(domains=domains)
    decision.held = decide[order.kind](order, decision, facts, now)
    if decision.held or order.held_because:
        set_held(order, decision.held)
    if decision.held:
        set_state(order, State.HELD, at=now)
        order.in_effect, order.change_number = False, None  # a held change shapes nothing yet
        if order.trial:
            copy_from(order, order.trial, SHOWN)  # for lists and limits only: planning copies anew
    else:
        if order.state != State.IN_PROGRESS:  # a new order has this state already
            set_state(order, State.IN_PROGRESS, at=now)
        order.planned_at, order.plans = now, order.plans + 1
    return decision


def _settle_trial(order: Order, decision: Settlement, facts: TrialFacts, now: datetime.datetime) -> str:
    if order.attribution_id is None:
        order.attribution = ATTRIBUTION.first(code=order.enterprise_id[:3])  # the code begins the id (contract 2.4)
    if order.attribution_id is None:
        return Held.ATTRIBUTION_UNKNOWN
    decision.steps = build_plan(PlanFacts(kind=order.kind))
    decision.new = [trial_record(order, order.service_type_id, name) for name in decision.domains]
    return Held.NOT


def _trial_trouble(order: Order, facts: TrialFacts) -> str:
    """Why no order can be planned on its trial now; Held.NOT if one can."""
    trial = order.trial
    if trial is None:
        return Held.TRIAL_UNKNOWN
    if trial.undo_asked_at and UNDO_ASKED.first(trial=trial.pk) not in {None, order.pk}:
        return Held.TRIAL_BUSY
    if is_closed(trial) and not _goes_on(order, facts):
        return Held.TRIAL_CLOSED
    return Held.NOT


def is_closed(trial: Order) -> bool:
    """Whether a trial is withdrawn or ended, or is about to be."""
    return trial.state in CLOSED_TRIAL or bool(trial.undo_since)


def is_withdrawn(trial: Order) -> bool:
    """Whether a trial is closed for another reason than its end: no change goes on then (contract 3.10)."""
    return is_closed(trial) and (trial.state != State.ENDED or bool(trial.undo_since))


def _goes_on(order: Order, facts: TrialFacts) -> bool:
    """Whether an order goes on though its trial is closed: staff let it, or a change gives an ended trial a later
    end."""
    if order.kind == Kind.CHANGE:
        return not is_withdrawn(order.trial) and _outlasts(order, facts.shape)
    return order.proceeded


def _outlasts(change: Order, before: Shape) -> bool:
    """Whether a change counts though its trial has ended: staff let it go on, or it gives a later end."""
    return change.proceeded or _names_later(change, before)


def _names_later(change: Order, before: Shape) -> bool:
    """Whether a change's message gives a later end than its trial has."""
    return "biz_end" in change.given and before.names_later(change.biz_end)


def _settle_change(order: Order, decision: Settlement, facts: TrialFacts, now: datetime.datetime) -> str:
    if trouble := _trial_trouble(order, facts):
        return trouble
    claim = facts.claim
    if claim and (claim.activation_id < (order.pk or claim.activation_id + 1) or claim.planned):
        return Held.CLAIM_HELD
    if order.trial.planned_at is None:
        return Held.TRIAL_HELD
    if facts.shape.is_over(_today(now)) and not _outlasts(order, facts.shape):
        return Held.TRIAL_CLOSED
    _plan_change(order, decision, facts, now)
    return Held.NOT


def _plan_change(order: Order, decision: Settlement, facts: TrialFacts, now: datetime.datetime) -> None:
    """Works out what the change leads to, and with that which steps it has."""
    copy_from(order, order.trial, (*FROM_TRIAL, "prod_type", "billing_method"))
    if order.change_number is None:
        order.change_number = next_number(order.trial)
    before, order.in_effect = facts.shape, True
    decision.shape = shape = after(before, said_by(order, decision.domains, order.change_number))
    order.service_type_id, order.biz_end = shape.service, shape.end
    order.data_flow = order.data_flow or order.trial.data_flow
    decision.domains = list(shape.domains.values())
    other_service = shape.service != before.service
    live = _live(order.trial, facts, now)
    gone = before.domains.keys() if other_service else before.domains.keys() - shape.domains.keys()
    come = [name for key, name in shape.domains.items() if other_service or key not in live]
    decision.old = _trial_records(facts, gone)
    known = {row.domain_key: row.pk for row in facts.records if row.product_id == shape.service}
    decision.new = [trial_record(order.trial, shape.service, name, known.get(domain_key(name))) for name in come]
    if not other_service and shape.end != before.end:
        staying = live & shape.domains.keys()
        decision.staying = [
            row.pk for row in facts.records if row.domain_key in staying and row.product_id == shape.service
        ]
    # Behind what is under way a day may pass, and what stands in front may make nothing any more.
    unsure = not facts.line_is_free and bool(before.end or shape.end)
    added, extended = unsure or bool(come), unsure or bool(decision.staying)
    facts_of_plan = PlanFacts(kind=order.kind, removed=bool(decision.old), added=added, extended=extended)
    if shape.is_over(_today(now)):  # it ends a day that has passed: whatever is there is cancelled
        facts_of_plan = PlanFacts(kind=order.kind, removed=True)
    decision.steps = build_plan(facts_of_plan)
    if not decision.steps and not facts.line_is_free:
        # A cancel without records. What it must cancel is known only when its turn has come.
        decision.steps = [PlannedStep(Step.CANCEL_TRIAL)]


def _live(trial: Order, facts: TrialFacts, now: datetime.datetime) -> Set[str]:
    """Those of a trial's domains that will have a live record when it is a change's turn.

    After the trial's end some may have none. While something is under way in its line nobody can tell. Then none counts
    as live, so that the plan has a step that makes them.
    """
    had = facts.shape.domains.keys()
    if trial.state != State.ENDED and not facts.shape.is_over(_today(now)):
        return had
    if not facts.line_is_free:
        return set()
    service, live = facts.shape.service, BillingRecord.State.LIVE
    return had & {row.domain_key for row in facts.records if row.product_id == service and row.state == live}


def _settle_activation(order: Order, decision: Settlement, facts: TrialFacts, now: datetime.datetime) -> str:
    if trouble := _trial_trouble(order, facts):
        return trouble
    if order.first is None and facts.claim and facts.claim.undone:
        return Held.TRIAL_BUSY
    if order.first is None:
        if not facts.claim and facts.shape.is_over(_today(now)) and not order.proceeded:
            return Held.TRIAL_CLOSED
        order.first = decision.claim = facts.claim is None
    if not order.first and not decision.domains:
        if order.pk is None:
            raise ContentError("content_without_domains", field="ProvContent")
        return Held.DOMAINS_MISSING
    if order.trial.planned_at is None:
        return Held.TRIAL_HELD
    if not decision.domains and not facts.shape.domains:
        return Held.DOMAINS_MISSING  # staff gave up the step that made the trial's records
    copy_from(order, order.trial, FROM_TRIAL)
    _plan_activation(order, decision, facts, now)
    return Held.NOT


def _plan_activation(order: Order, decision: Settlement, facts: TrialFacts, now: datetime.datetime) -> None:
    decision.domains = decision.domains or list(facts.shape.domains.values())
    order.start_at = later_start(order.biz_start, now)
    if order.first:
        decision.old = _trial_records(facts, facts.shape.domains.keys())
    decision.new = [_commercial_record(order, name) for name in decision.domains]
    decision.steps = build_plan(
        PlanFacts(
            kind=order.kind,
            first=order.first,
            later=order.start_at is not None,
            files=bool(order.file_names),
            billing_at_once=settings.SUBSEQUENT_BILLING == "at_once",
        )
    )


def later_start(day: datetime.date, now: datetime.datetime) -> datetime.datetime | None:
    """BizStart 00:00:00 if that day lies ahead. None if the order starts when it is carried out."""
    if day <= now.astimezone(SHANGHAI).date():
        return None
    return midnight(day)


def _today(now: datetime.datetime) -> datetime.date:
    return now.astimezone(SHANGHAI).date()


def copy_from(order: Order, source: Order, names: tuple[str, ...]) -> None:
    """Copies these fields, which the message does not have."""
    for name in names:
        setattr(order, name, getattr(source, name))


def _trial_records(facts: TrialFacts, keys: Collection[str]) -> list[int]:
    """The trial's records of these domains (keys), in the order in which they were made.

    They are those of its service, and live ones of another service too.
    """
    service, there = facts.shape.service, BillingRecord.THERE
    return [
        row.pk for row in facts.records if row.domain_key in keys and (row.product_id == service or row.state in there)
    ]


def _commercial_record(order: Order, name: str) -> BillingRecord:
    return new_row(
        BillingRecord,
        order=order,
        info_type=BillingRecord.Type.COMMERCIAL,
        product_id=order.product_id,
        business_type=order.service_type_id,
        domain=name,
        domain_key=domain_key(name),
    )


def open_claim(trial: Order | None) -> TrialClaim | None:
    """The open claim on a trial, if there is one."""
    return OPEN_CLAIM.first(trial=trial.pk) if trial and trial.pk else None


def rows_of_plan(order: Order, decision: Settlement, facts: TrialFacts, *, now: datetime.datetime) -> list[Model]:
    """The unsaved rows of a new order's plan, besides its records, which have their ids. Its first steps are due."""
    rows: list[Model] = list(_domain_rows(order, decision.domains))
    if decision.claim:
        rows.append(_claim_row(order, now))
    if order.kind == Kind.TRIAL:
        rows.append(kept_shape(order, after(Shape(), said_by(order, decision.domains, 0))))
    if decision.held:
        return rows
    steps = _build_steps(order, decision, now, {})
    start_plan(steps, now=now, line_moves=facts.line_moves)
    give_keys(steps, new=True)
    return [*rows, *steps, *([build_schedule(order)] if order.start_at else [])]


def save_plan(
    order: Order, decision: Settlement, *, now: datetime.datetime, by: str, kept: Mapping[str, Dispatch] | None = None
) -> None:
    """Saves what was decided anew about an order that was held or planned before. Its first steps become due.

    `kept`: dispatches of an earlier plan, by step, that the new one keeps.
    """
    _write_domains(order, decision.domains)
    if decision.claim:
        take_claim(order, now=now)
    if decision.held:
        return
    if order.kind != Kind.ACTIVATION:
        reshape(order.trial or order, now=now, by=by)
    _write_records(order, decision)
    enqueue(_build_steps(order, decision, now, kept or {}))
    release(now=now, order_ids=[order.pk])
    if order.start_at and not find_schedule(order):
        insert_rows([build_schedule(order)])


def keep_changed_shape(order: Order, decision: Settlement, *, now: datetime.datetime, by: str) -> None:
    """Keeps what a new change that was planned makes of its trial. Its records' rows are there."""
    if order.kind == Kind.CHANGE and decision.shape:
        keep_shape(order.trial, decision.shape)
        if order.trial.state == State.ENDED:
            refresh_trial(order.trial, decision.shape, now=now, by=by)


def take_claim(order: Order, *, now: datetime.datetime) -> None:
    """Gives this activation the claim on its (locked) trial. Raises IntegrityError if another one holds it."""
    insert_rows([_claim_row(order, now)])


def _claim_row(order: Order, now: datetime.datetime) -> TrialClaim:
    return new_row(TrialClaim, trial=order.trial, activation=order, taken_at=now)


def _domain_rows(order: Order, names: list[str]) -> list[OrderDomain]:
    return [new_row(OrderDomain, order_id=order.pk, name=name, key=domain_key(name)) for name in names]


def _write_domains(order: Order, names: list[str]) -> None:
    """Saves the order's domains in the given order. Domains that only an earlier plan had are removed."""
    if list(order.domains.values_list("name", flat=True)) == names:
        return
    order.domains.all().delete()
    insert_rows(_domain_rows(order, names))


def _write_records(order: Order, decision: Settlement) -> None:
    """Makes the records' rows. If an activation had a domain before, its row is used again and begins anew. Those of a
    trial were made with its shape."""
    if order.kind != Kind.ACTIVATION:
        rows = BillingRecord.objects.filter(order=order.trial or order, product_id=order.service_type_id)
        known = {row.domain_key: row for row in rows}
        decision.new = [known[row.domain_key] for row in decision.new]
        return
    if decision.new:
        first, state = decision.new[0], BillingRecord.State
        rows = BillingRecord.objects.filter(order=first.order, product_id=first.product_id)
        known = {row.domain_key: row for row in rows}
        planned = Q(domain_key__in=first.order.domains.values("key"))
        rows.filter(~planned, state=state.TO_SEND).update(state=state.DELETED)  # only an earlier plan had the domain
        rows.filter(planned).exclude(state__in=BillingRecord.THERE).update(
            state=state.TO_SEND, create_time=None, cancel_time=None, cancelled_at=None, accepted={}
        )
        decision.new = [known.get(row.domain_key, row) for row in decision.new]
    insert_rows(row for row in decision.new if row.pk is None)


def _build_steps(
    order: Order, decision: Settlement, now: datetime.datetime, kept: Mapping[str, Dispatch]
) -> list[Dispatch]:
    """Builds the plan's steps. Steps that are kept move into their places instead."""
    rows, new = [], [row.pk for row in decision.new]
    for position, step in enumerate(decision.steps, start=Phase.PLAN):
        if step.step in kept:
            _keep(kept[step.step], order, position, step.gate)
            continue
        effect = STEPS[step.step].effect
        records = getattr(decision, RECORDS_OF[effect]) if effect in RECORDS_OF else new
        rows.append(_build(order, step, position, records, len(decision.domains), now))
    return rows


def _build(
    order: Order, step: PlannedStep, position: int, records: list[int], domains: int, now: datetime.datetime
) -> Dispatch:
    """Builds one step of the plan. Its size is the number of its records, or of the domains if it names them."""
    place = {"position": position, "gate": step.gate}
    if step.gate == Dispatch.Gate.START:
        place["not_before"] = order.start_at
    channel = STEPS[step.step].channel
    if channel == Dispatch.Channel.BILLING:
        return build_step(order, step.step, now=now, records=records, **place)
    return build_step(order, step.step, now=now, size=0 if channel == Dispatch.Channel.USAGE else domains, **place)


def _keep(row: Dispatch, order: Order, position: int, gate: str) -> None:
    """Moves a dispatch of an earlier plan into the new one. It is done, under way, or repeated with key and bytes."""
    places = {"plan": order.plans, "position": position, "gate": gate, "superseded": False}
    if row.state not in {Dispatch.State.DONE, *OPEN_STATES}:
        places |= {"state": Dispatch.State.WAITING, "next_try_at": None, "tries_left": None}
        places |= {"error_code": "", "error": "", "error_params": {}}
    Dispatch.objects.filter(pk=row.pk).update(**places)
