"""Plans an order, or decides why it is held (contract 3.2, 3.9, 1 and 3, 3.10). Pure.

`plan_order` takes a content and facts, and returns a plan. Nothing is read or written here. The time is an argument.
"""

import datetime
from collections.abc import Collection, Mapping, Set, Sized
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orders.models import BillingRecord, Dispatch, Order
from orders.rules.content import OrderContent
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI, midnight
from orders.rules.steps import STEPS, Channel, Step
from orders.rules.trial_shape import ChangeRequest, Shape, after
from orders.texts.errors import ContentError

CLOSED_TRIAL = {Order.State.WITHDRAWN, Order.State.ENDED, Order.State.COMPENSATING}
SHOWN_WHILE_HELD = ("attribution_id", "enterprise_id", "enterprise_name")  # copied from its trial
FROM_TRIAL = (*SHOWN_WHILE_HELD, "cp_id", "user_id", "oper_user", "oper_tel", "oper_mail")


class ClaimFacts(NamedTuple):
    """An open claim: the id of the activation that holds it, and whether this activation is planned and is being
    undone."""

    activation_id: int
    planned: bool
    undone: bool


class RecordFacts(NamedTuple):
    """A billing record of a trial."""

    pk: int
    domain_key: str
    product_id: str
    state: str


class PlannedRecord(NamedTuple):
    """A billing record that a step will create. `pk`: set for an existing record of a trial."""

    name: str
    pk: int | None = None


@dataclass(frozen=True)
class PlannedStep:
    """A planned step and its gate. The step waits for the gate and for the steps before it. `orders.rules.steps`
    defines the rest."""

    step: str
    gate: str = Dispatch.Gate.NONE


@dataclass(kw_only=True)
class Facts:
    """The facts for planning an order, besides its content. If its trial is unknown, the fields about the trial keep
    their defaults.

    `line_is_free`: the trial's line has no unfinished step. `line_moves`: no step in the line makes a new step wait.
    `undo_asked_by`: the id of the activation that waits until staff decide about its late undoing. `attribution`: the
    attribution derived from the enterprise's code. `change_number`: the sequence number of a change among the entries
    of the trial's shape. A new change would get this number. `has_traffic` and `most`: values of the profile for the
    big-data side (contract 7.1).

    Set for a known order: its id, whether it was a first activation, and whether staff let it proceed. Set for a new
    order: the `ids` that its rows may get, and whether other orders wait for it.
    """

    trial: Order | None = None
    shape: Shape = field(default_factory=Shape)
    claim: ClaimFacts | None = None
    records: list[RecordFacts] = field(default_factory=list)
    line_is_free: bool = True
    line_moves: bool = True
    undo_asked_by: int | None = None
    attribution: str | None = None
    change_number: int | None = None
    billing_at_once: bool = False
    has_traffic: bool = True
    most: int = 0
    order_id: int | None = None
    first: bool | None = None
    proceeded: bool = False
    ids: Mapping = field(default_factory=dict)
    followers: bool = False


@dataclass(kw_only=True)
class Plan:
    """The plan of an order, or the reason why the order is held. `write_plan` saves the plan. `why`: parameters of a
    hold's incident.

    `fields` are columns of the order with their values. `old` are the ids of the trial's records to cancel. `new` are
    the records to create. `staying` are the ids of the records with a new end. A trial's records are selected again
    when a step is first attempted (contract 3.9, 19). `domains` are the names of the order's own list. `claim`: the
    order takes the claim. `shape`: the target state of its trial, if the order is a trial or a change.
    """

    held: str = Order.Held.NOT
    why: dict = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    domains: list[str] = field(default_factory=list)
    steps: list[PlannedStep] = field(default_factory=list)
    old: list[int] = field(default_factory=list)
    new: list[PlannedRecord] = field(default_factory=list)
    staying: list[int] = field(default_factory=list)
    claim: bool = False
    shape: Shape | None = None


def plan_order(content: OrderContent, facts: Facts, *, now: datetime.datetime) -> Plan:
    """Plans an order that is new, was held or is planned again.

    Raises ContentError for a new activation without ProvContent if it is a subsequent one.
    """
    by_kind = {
        Order.Kind.TRIAL: _decide_trial,
        Order.Kind.CHANGE: _decide_change,
        Order.Kind.ACTIVATION: _decide_activation,
    }
    plan = Plan(domains=list(content.domains or ()))
    plan.held = by_kind[content.kind](content, plan, facts, now)
    if not plan.held and 0 < facts.most < (posted := _most_posted(plan)):
        plan = _held_for_number(content, plan, posted, facts.most)
    if plan.held:
        plan.fields |= {"in_effect": False, "change_number": None}  # a held change is not in the shape yet
        if facts.trial:
            plan.fields |= _copied(
                facts.trial, SHOWN_WHILE_HELD
            )  # for lists and limits; planning copies these fields again
    return plan


def _most_posted(plan: Plan) -> int:
    """Returns the number of records in the plan's largest call that creates or changes records. Cancels do not count,
    since they can be sent in parts."""
    records: dict[str, Sized] = {Step.CANCEL_TRIAL: (), Step.EXTEND_TRIAL: plan.staying}
    billing = [one.step for one in plan.steps if STEPS[one.step].channel == Channel.BILLING]
    return max((len(records.get(step, plan.new)) for step in billing), default=0)


def _held_for_number(content: OrderContent, plan: Plan, number: int, most: int) -> Plan:
    """Returns a plan that holds the order, since it has too many records for one call. The order keeps its claim, as
    with any hold."""
    return Plan(
        held=Order.Held.TOO_MANY,
        why={"code": "too_many", "number": number, "most": most},
        fields={name: plan.fields[name] for name in ("attribution_id", "first") if name in plan.fields},
        domains=list(content.domains or ()),
        claim=plan.claim,
        shape=plan.shape if content.kind == Order.Kind.TRIAL else None,
    )


def _decide_trial(content: OrderContent, plan: Plan, facts: Facts, now: datetime.datetime) -> str:
    plan.shape = after(Shape(), _change_request(content, 0))
    plan.fields["attribution_id"] = content.attribution or facts.attribution
    if not plan.fields["attribution_id"]:
        return Order.Held.ATTRIBUTION_UNKNOWN
    plan.steps = build_plan(PlanFacts(kind=content.kind))
    plan.new = [PlannedRecord(name) for name in plan.domains]
    return Order.Held.NOT


def _change_request(content: OrderContent, number: int) -> ChangeRequest:
    return ChangeRequest(
        number=number, domains=content.domains or None, service=content.service_type, end=content.biz_end
    )


def _trial_trouble(content: OrderContent, facts: Facts) -> str:
    """Returns the reason why the order can't be planned now because of its trial, or Held.NOT."""
    trial = facts.trial
    if trial is None:
        return Order.Held.TRIAL_UNKNOWN
    if facts.undo_asked_by not in {None, facts.order_id}:
        return Order.Held.TRIAL_BUSY
    if is_closed(trial) and not _goes_on(content, facts):
        return Order.Held.TRIAL_CLOSED
    return Order.Held.NOT


def is_closed(trial: Order) -> bool:
    """Returns True if a trial is withdrawn, has ended or is being undone."""
    return trial.state in CLOSED_TRIAL or bool(trial.undo_since)


def is_withdrawn(trial: Order) -> bool:
    """Returns True if a trial is closed and has not merely ended. Its changes can't continue then (contract 3.10)."""
    return is_closed(trial) and (trial.state != Order.State.ENDED or bool(trial.undo_since))


def _goes_on(content: OrderContent, facts: Facts) -> bool:
    """Returns True if an order continues although its trial is closed: staff let it continue, or it is a change with a
    later end."""
    if content.kind == Order.Kind.CHANGE:
        return not is_withdrawn(facts.trial) and _outlasts(content, facts)
    return facts.proceeded


def _outlasts(content: OrderContent, facts: Facts) -> bool:
    """Returns True if a change takes effect although its trial has ended: staff let it proceed, or its message has a
    later end."""
    return facts.proceeded or facts.shape.names_later(content.biz_end)


def _decide_change(content: OrderContent, plan: Plan, facts: Facts, now: datetime.datetime) -> str:
    if trouble := _trial_trouble(content, facts):
        return trouble
    claim, mine = facts.claim, facts.order_id
    if claim and (mine is None or claim.activation_id < mine or claim.planned):
        return Order.Held.CLAIM_HELD
    if facts.trial.planned_at is None:
        return Order.Held.TRIAL_HELD
    if facts.shape.is_over(_today(now)) and not _outlasts(content, facts):
        return Order.Held.TRIAL_CLOSED
    _plan_change(content, plan, facts, now)
    return Order.Held.NOT


def _plan_change(content: OrderContent, plan: Plan, facts: Facts, now: datetime.datetime) -> None:
    """Computes the trial's shape after the change, and the steps that lead to it."""
    trial, before = facts.trial, facts.shape
    plan.shape = shape = after(before, _change_request(content, facts.change_number))
    plan.fields = _copied(trial, (*FROM_TRIAL, "prod_type", "billing_method")) | {
        "change_number": facts.change_number,
        "in_effect": True,
        "service_type_id": shape.service,
        "biz_end": shape.end,
        "data_flow": content.data_flow or trial.data_flow,
    }
    plan.domains = list(shape.domains.values())
    other_service = shape.service != before.service
    live = _live(facts, now)
    gone = before.domains.keys() if other_service else before.domains.keys() - shape.domains.keys()
    come = [name for key, name in shape.domains.items() if other_service or key not in live]
    plan.old = _trial_records(facts, gone)
    known = {row.domain_key: row.pk for row in facts.records if row.product_id == shape.service}
    plan.new = [PlannedRecord(name, known.get(domain_key(name))) for name in come]
    if not other_service and shape.end != before.end:
        staying = live & shape.domains.keys()
        plan.staying = [
            row.pk for row in facts.records if row.domain_key in staying and row.product_id == shape.service
        ]
    # Before the line's unfinished steps are done, the trial may end. Then these steps may create no records.
    unsure = not facts.line_is_free and bool(before.end or shape.end)
    added, extended = unsure or bool(come), unsure or bool(plan.staying)
    facts_of_plan = PlanFacts(kind=content.kind, removed=bool(plan.old), added=added, extended=extended)
    if shape.is_over(_today(now)):  # the trial's end has passed: all existing records are cancelled
        facts_of_plan = PlanFacts(kind=content.kind, removed=True)
    plan.steps = build_plan(facts_of_plan)
    if not plan.steps and not facts.line_is_free:
        # This cancel has no records yet, since the records are known only when the cancel's turn has come.
        plan.steps = [PlannedStep(Step.CANCEL_TRIAL)]


def _live(facts: Facts, now: datetime.datetime) -> Set[str]:
    """Returns the trial's domains that will have live records when the change's steps are sent.

    After the trial's end some domains may have no live record. While the trial's line has unfinished steps, it is
    unknown which ones. Then no domain counts as live, so that the plan has a create step.
    """
    had = facts.shape.domains.keys()
    if facts.trial.state != Order.State.ENDED and not facts.shape.is_over(_today(now)):
        return had
    if not facts.line_is_free:
        return set()
    service, live = facts.shape.service, BillingRecord.State.LIVE
    return had & {row.domain_key for row in facts.records if row.product_id == service and row.state == live}


def _decide_activation(content: OrderContent, plan: Plan, facts: Facts, now: datetime.datetime) -> str:
    if trouble := _trial_trouble(content, facts):
        return trouble
    first = facts.first
    if first is None:
        if facts.claim and facts.claim.undone:
            return Order.Held.TRIAL_BUSY
        if not facts.claim and facts.shape.is_over(_today(now)) and not facts.proceeded:
            return Order.Held.TRIAL_CLOSED
        first = plan.claim = facts.claim is None
    plan.fields["first"] = first
    if not first and not plan.domains:
        if facts.order_id is None:
            raise ContentError("content_without_domains", field="ProvContent")
        return Order.Held.DOMAINS_MISSING
    if facts.trial.planned_at is None:
        return Order.Held.TRIAL_HELD
    if not plan.domains and not facts.shape.domains:
        return Order.Held.DOMAINS_MISSING  # staff gave up the step that creates the trial's records
    start_at = later_start(content.biz_start, now)
    plan.fields |= _copied(facts.trial, FROM_TRIAL) | {"start_at": start_at}
    plan.domains = plan.domains or list(facts.shape.domains.values())
    if first:
        plan.old = _trial_records(facts, facts.shape.domains.keys())
    plan.new = [PlannedRecord(name) for name in plan.domains]
    plan.steps = build_plan(
        PlanFacts(
            kind=content.kind,
            first=first,
            later=start_at is not None,
            files=bool(content.info_security or content.info_security_table or content.busi_info),
            billing_at_once=facts.billing_at_once,
            has_traffic=facts.has_traffic,
        )
    )
    return Order.Held.NOT


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """The facts that determine the steps of a plan.

    `removed`, `added`: a change removes or adds domains. A change of the service type sets both. `extended`: the
    records that stay get another end.
    """

    kind: str
    first: bool | None = None
    later: bool = False
    files: bool = False
    removed: bool = False
    added: bool = False
    extended: bool = False
    billing_at_once: bool = False
    has_traffic: bool = True


def build_plan(facts: PlanFacts) -> list[PlannedStep]:
    """Returns the steps of an order, in the order in which they are carried out."""
    if facts.kind == Order.Kind.TRIAL:
        return [PlannedStep(Step.CREATE_TRIAL)]
    if facts.kind == Order.Kind.CHANGE:
        parts = (
            (Step.CANCEL_TRIAL, facts.removed),
            (Step.CREATE_TRIAL, facts.added),
            (Step.EXTEND_TRIAL, facts.extended),
        )
        return [PlannedStep(step) for step, wanted in parts if wanted]
    check = [PlannedStep(Step.CHECK_FILES)] if facts.files else []
    bpm = PlannedStep(Step.START_BPM)
    if not facts.first:
        billing = PlannedStep(
            Step.CREATE_BILLING, Dispatch.Gate.NONE if facts.billing_at_once else Dispatch.Gate.APPROVAL
        )
        return [*check, bpm, billing]
    usage, create = [PlannedStep(Step.FETCH_USAGE)] if facts.has_traffic else [], PlannedStep(Step.CREATE_BILLING)
    if facts.later:
        return [*check, *usage, create, bpm, PlannedStep(Step.CANCEL_TRIAL, Dispatch.Gate.START)]
    return [*check, *usage, PlannedStep(Step.CANCEL_TRIAL), create, bpm]


def later_start(day: datetime.date, now: datetime.datetime) -> datetime.datetime | None:
    """Returns BizStart 00:00:00 if that day is in the future, or None if the order starts when it is carried out."""
    return midnight(day) if day > _today(now) else None


def _today(now: datetime.datetime) -> datetime.date:
    return now.astimezone(SHANGHAI).date()


def _copied(trial: Order, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the trial's values of the fields that the order's message does not have."""
    return {name: getattr(trial, name) for name in names}


def _trial_records(facts: Facts, keys: Collection[str]) -> list[int]:
    """Returns the ids of the trial's records with these domain keys, oldest first: all records of the trial's service,
    and the live or unknown records of other services."""
    service, there = facts.shape.service, BillingRecord.THERE
    return [
        row.pk for row in facts.records if row.domain_key in keys and (row.product_id == service or row.state in there)
    ]
