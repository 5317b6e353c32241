"""Plans an order and saves the plan, or holds the order with a reason (contract 3.2, 3.9, 1 and 3, 3.10).

Everything here runs inside the caller's transaction, with the trial locked. So a trial's orders are planned one at a
time.
"""

import datetime
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field

from django.conf import settings

from orders.db.compiled_sql import Prepared, Slot, insert_rows
from orders.errors import ContentError
from orders.local_time import SHANGHAI, midnight
from orders.models import BillingRecord, Dispatch, Order, OrderDomain, Province, TrialClaim
from orders.models.dispatch import OPEN_STATES
from orders.plan import PlanFacts, PlannedStep, build_plan
from orders.services.order_state import move_trial
from orders.services.outbox.enqueue import build_step, enqueue, line_is_free, start_plan
from orders.services.outbox.release import release
from orders.services.start_day_schedule import find_schedule, make_schedule
from orders.states import set_held, set_state
from orders.steps import STEPS, Effect, Phase, Step

Held, Kind, State = Order.Held, Order.Kind, Order.State
CLOSED_FOR_GOOD = {State.WITHDRAWN, State.ENDED}
RECORDS_OF = {Effect.CANCEL: "old", Effect.EXTEND: "staying"}  # in a settlement; all other billing steps have "new"
CLOSED_TRIAL = {*CLOSED_FOR_GOOD, State.COMPENSATING}
FROM_TRIAL = ("enterprise_id", "enterprise_name", "cp_id", "user_id", "oper_user", "oper_tel", "oper_mail")

CHANGEABLE = {"service_type": "service_type_id", "data_flow": "data_flow", "biz_end": "biz_end"}  # {in `given`: field}

OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None))
CHANGES = Order.objects.filter(kind=Kind.CHANGE, change_number__isnull=False)
LAST_CHANGE = Prepared(lambda: CHANGES.filter(trial=Slot("trial"), in_effect=True).order_by("-change_number")[:1])
UNDO_ASKED = Prepared(
    lambda: Order.objects.filter(trial=Slot("trial"), undo_asked_at__isnull=False).values_list("pk", flat=True)[:1]
)
DOMAINS = Prepared(lambda: OrderDomain.objects.filter(order=Slot("order")).values_list("name", flat=True))
ATTRIBUTION = Prepared(lambda: Province.objects.filter(code=Slot("code")).order_by("pk")[:1])
RECORDS = Prepared(lambda: BillingRecord.objects.filter(order=Slot("order")))


@dataclass
class Settlement:
    """What was decided about an order. `save_plan` saves it.

    `old` are trial records that exist and will be cancelled. `new` are records that will be made. `staying` are those
    that get a new end. `domains` are the names of the order's own list. `claim`: the order takes the claim.
    """

    held: str = Held.NOT
    domains: list[str] = field(default_factory=list)
    steps: list[PlannedStep] = field(default_factory=list)
    old: list[BillingRecord] = field(default_factory=list)
    new: list[BillingRecord] = field(default_factory=list)
    staying: list[BillingRecord] = field(default_factory=list)
    claim: bool = False


def settle(order: Order, *, domains: list[str], claim: TrialClaim | None, now: datetime.datetime) -> Settlement:
    """Decides about an order that was just received or was held. Fills the order's fields, and saves nothing.

    `domains` are those of the message. `claim` is the open claim on its (locked) trial. Raises ContentError for an
    activation that turns out to be a subsequent one without ProvContent.
    """
    decide = {Kind.TRIAL: _settle_trial, Kind.CHANGE: _settle_change, Kind.ACTIVATION: _settle_activation}
    decision = Settlement(domains=domains)
    decision.held = decide[order.kind](order, decision, claim, now)
    if decision.held or order.held_because:
        set_held(order, decision.held)
    if decision.held:
        set_state(order, State.HELD)
    else:
        if order.state != State.IN_PROGRESS:  # a new order has this state already
            set_state(order, State.IN_PROGRESS)
        order.planned_at, order.plans = now, order.plans + 1
    return decision


def _settle_trial(order: Order, decision: Settlement, claim, now: datetime.datetime) -> str:
    if order.attribution_id is None:
        order.attribution = ATTRIBUTION.first(code=order.enterprise_id[:3])  # the code begins the id (contract 2.4)
    if order.attribution_id is None:
        return Held.ATTRIBUTION_UNKNOWN
    decision.steps = build_plan(PlanFacts(kind=order.kind))
    decision.new = [_trial_record(order, order.service_type_id, name) for name in decision.domains]
    return Held.NOT


def _trial_trouble(order: Order, trial: Order | None) -> str:
    """Why no order can be planned on this trial now; Held.NOT if one can."""
    if trial is None:
        return Held.TRIAL_UNKNOWN
    if trial.undo_asked_at and UNDO_ASKED.first(trial=trial.pk) not in {None, order.pk}:
        return Held.TRIAL_BUSY
    if is_closed(trial) and not (order.proceeded or _revives(order, trial)):
        return Held.TRIAL_CLOSED
    return Held.NOT


def is_closed(trial: Order) -> bool:
    """Whether a trial is withdrawn or ended, or is about to be."""
    return trial.state in CLOSED_TRIAL or bool(trial.undo_since)


def _revives(order: Order, trial: Order) -> bool:
    """Whether a change gives a later end to an ended trial. It never revives a withdrawn one (contract 3.10)."""
    running_out = order.kind == Kind.CHANGE and trial.state == State.ENDED and not trial.undo_since
    return running_out and _ends_later(order, latest_shape(trial))


def _ends_later(change: Order, before: Order) -> bool:
    """Whether a change's message gives a later end than its trial has."""
    return "biz_end" in change.given and (before.biz_end is None or change.biz_end > before.biz_end)


def _settle_change(order: Order, decision: Settlement, claim: TrialClaim | None, now: datetime.datetime) -> str:
    trial = order.trial
    if trouble := _trial_trouble(order, trial):
        return trouble
    if claim and (claim.activation_id < (order.pk or claim.activation_id + 1) or claim.activation.planned_at):
        return Held.CLAIM_HELD
    if trial.planned_at is None:
        return Held.TRIAL_HELD
    before = latest_shape(trial)
    if ended(before, now) and not _ends_later(order, before):
        return Held.TRIAL_CLOSED
    _plan_change(order, decision, before, now)
    return Held.NOT


def _plan_change(order: Order, decision: Settlement, before: Order, now: datetime.datetime) -> None:
    """Works out what the change leads to, and which records are cancelled and made."""
    copy_from(order, before, (*FROM_TRIAL, "attribution_id", "prod_type", "billing_method"))
    copy_from(order, before, tuple(field for name, field in CHANGEABLE.items() if name not in order.given))
    had = {row.key: row.name for row in before.domains.all()}
    decision.domains = decision.domains or list(had.values())
    wanted = {name.lower(): name for name in decision.domains}
    other_service = order.service_type_id != before.service_type_id
    live = _live(order.trial, before, had.keys(), now)
    gone = had.keys() if other_service else had.keys() - wanted.keys()
    come = [name for key, name in wanted.items() if other_service or key not in live]
    decision.old = trial_records(order.trial, before.service_type_id, gone)
    decision.new = [_trial_record(order.trial, order.service_type_id, name) for name in come]
    if not other_service and order.biz_end != before.biz_end:
        staying = trial_records(order.trial, before.service_type_id, live & wanted.keys())
        decision.staying = [row for row in staying if row.product_id == order.service_type_id]
    decision.steps = build_plan(
        PlanFacts(kind=order.kind, removed=bool(decision.old), added=bool(come), extended=bool(decision.staying))
    )
    if not decision.steps and not line_is_free(order.trial.pk):
        # A cancel without records. What it must cancel is known only when its turn has come.
        decision.steps = [PlannedStep(Step.CANCEL_TRIAL)]
    if order.change_number is None:
        order.change_number = _next_change_number(order.trial)
    order.in_effect = True


def _next_change_number(trial: Order) -> int:
    """The number of the next change of a (locked) trial. With a time instead, a clock that goes back would let an older
    change win."""
    last = CHANGES.filter(trial=trial).order_by("-change_number").values_list("change_number", flat=True).first()
    return (last or 0) + 1


def _live(trial: Order, before: Order, had: Set[str], now: datetime.datetime) -> Set[str]:
    """Those of a trial's domains (`had`) that will have a live record when it is a change's turn.

    After the trial's end some may have none. While something is under way in its line nobody can tell. Then none counts
    as live, so that all are made, which does no harm to live ones.
    """
    if trial.state != State.ENDED and not ended(before, now):
        return had
    if not line_is_free(trial.pk):
        return set()
    rows = BillingRecord.objects.filter(order=trial, product_id=before.service_type_id, state=BillingRecord.State.LIVE)
    return had & set(rows.values_list("domain_key", flat=True))


def _settle_activation(order: Order, decision: Settlement, claim: TrialClaim | None, now: datetime.datetime) -> str:
    trial = order.trial
    if trouble := _trial_trouble(order, trial):
        return trouble
    if order.first is None and claim and claim.activation.undo_since:
        return Held.TRIAL_BUSY
    before = latest_shape(trial)
    if order.first is None:
        if not claim and ended(before, now) and not order.proceeded:
            return Held.TRIAL_CLOSED
        order.first = decision.claim = claim is None
    if not order.first and not decision.domains:
        if order.pk is None:
            raise ContentError("content_without_domains", field="ProvContent")
        return Held.DOMAINS_MISSING
    if trial.planned_at is None:
        return Held.TRIAL_HELD
    names = DOMAINS(order=before.pk)
    if not decision.domains and not names:
        return Held.DOMAINS_MISSING  # staff gave up the step that made the trial's records
    copy_from(order, before, FROM_TRIAL)
    order.attribution_id = order.attribution_id or before.attribution_id
    _plan_activation(order, decision, before, names, now)
    return Held.NOT


def _plan_activation(
    order: Order, decision: Settlement, before: Order, names: list[str], now: datetime.datetime
) -> None:
    decision.domains = decision.domains or names
    order.start_at = later_start(order.biz_start, now)
    if order.first:
        decision.old = trial_records(order.trial, before.service_type_id, {name.lower() for name in names})
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


def ended(shape: Order, now: datetime.datetime) -> bool:
    """Whether the trial's BizEnd has passed."""
    today = now.astimezone(SHANGHAI).date()
    return shape.biz_end is not None and shape.biz_end < today


def latest_shape(trial: Order) -> Order:
    """The order that describes the trial now: its last change that is in effect, or the trial itself.

    Every change holds the full result: domains, service type, data flow, end day, customer. A withdrawn change on which
    later orders rest is still in effect, since its records are there. A change that was applied before its trial was
    withdrawn is too, since it says what that trial was.
    """
    return LAST_CHANGE.first(trial=trial.pk) or trial


def copy_from(order: Order, source: Order, names: tuple[str, ...]) -> None:
    """Copies these fields, which the message does not have."""
    for name in names:
        setattr(order, name, getattr(source, name))


def trial_records(trial: Order, product_id: str, keys: Collection[str]) -> list[BillingRecord]:
    """The trial's records of these domains (lower case), in the order in which they were made.

    They are those of its service, and live ones of another service too.
    """
    return [
        row
        for row in RECORDS(order=trial.pk)
        if row.domain_key in keys and (row.product_id == product_id or row.state in BillingRecord.THERE)
    ]


def _trial_record(trial: Order, service_type: str, name: str) -> BillingRecord:
    return BillingRecord(
        order=trial,
        info_type=BillingRecord.Type.TRIAL,
        product_id=service_type,
        business_type=service_type,
        domain=name,
        domain_key=name.lower(),
    )


def _commercial_record(order: Order, name: str) -> BillingRecord:
    return BillingRecord(
        order=order,
        info_type=BillingRecord.Type.COMMERCIAL,
        product_id=order.product_id,
        business_type=order.service_type_id,
        domain=name,
        domain_key=name.lower(),
    )


def open_claim(trial: Order | None) -> TrialClaim | None:
    """The open claim on a trial, if there is one."""
    if trial is None or trial.pk is None:
        return None
    return OPEN_CLAIM.first(trial=trial.pk)


def save_plan(
    order: Order, decision: Settlement, *, now: datetime.datetime, by: str, again: bool = False,
    kept: Mapping[str, Dispatch] | None = None,
) -> None:  # fmt: skip
    """Saves what was decided about a saved order. Its first steps become due.

    `again`: the order was held or planned before, so it has domains and perhaps dispatches. `kept`: dispatches of an
    earlier plan, by step, that the new one keeps.
    """
    _write_domains(order, decision.domains, again)
    if decision.claim:
        take_claim(order, now=now)
    if decision.held:
        return
    if order.kind == Order.Kind.CHANGE and order.trial.state == Order.State.ENDED:
        move_trial(order.trial, Order.State.TRIALING, now=now, by=by)  # the change gives a later end (contract 3.10)
    new = _write_records(decision.new, had=again or order.kind == Order.Kind.CHANGE)
    _write_dispatches(order, decision, new, now, again, kept or {})
    if order.start_at and not (again and find_schedule(order)):
        make_schedule(order)


def take_claim(order: Order, *, now: datetime.datetime) -> None:
    """Gives this activation the claim on its (locked) trial. Raises IntegrityError if another one holds it."""
    state = order.trial.undo_to or order.trial.state  # its state now, or after its own undoing
    was = state if state in CLOSED_FOR_GOOD else Order.State.TRIALING
    insert_rows([TrialClaim(trial=order.trial, activation=order, taken_at=now, trial_was=was)])


def _write_domains(order: Order, names: list[str], again: bool) -> None:
    """Saves the order's domains in the given order. Domains that only an earlier plan had are removed."""
    rows = [OrderDomain(order_id=order.pk, name=name, key=name.lower()) for name in names]
    if again:
        if list(order.domains.values_list("name", flat=True)) == names:
            return
        order.domains.all().delete()
    insert_rows(rows)


def _write_records(records: list[BillingRecord], *, had: bool) -> list[BillingRecord]:
    """Makes the records' rows. If the order or trial had a domain before, its row is used again.

    A commercial record then begins anew. A trial's record keeps the time when it was first made.
    """
    if not records:
        return []
    first = records[0]
    rows = BillingRecord.objects.filter(order=first.order, product_id=first.product_id)
    known = {row.domain_key: row for row in rows} if had else {}
    if known and first.info_type == BillingRecord.Type.COMMERCIAL:
        rows.exclude(state__in=BillingRecord.THERE).update(
            state=BillingRecord.State.TO_SEND, create_time=None, cancel_time=None, cancelled_at=None, accepted={}
        )
    insert_rows(row for row in records if row.domain_key not in known)
    return [known.get(row.domain_key, row) for row in records]


def _write_dispatches(
    order: Order, decision: Settlement, new: list[BillingRecord], now: datetime.datetime, again: bool,
    kept: Mapping[str, Dispatch],
) -> None:  # fmt: skip
    trial_id = order.trial_id or order.pk
    rows = []
    for position, step in enumerate(decision.steps, start=Phase.PLAN):
        if step.step in kept:
            _keep(kept[step.step], order, position, step.gate)
            continue
        effect = STEPS[step.step].effect
        records = getattr(decision, RECORDS_OF[effect]) if effect in RECORDS_OF else new
        rows.append(_build(order, step, position, records, len(decision.domains), now))
    free = not again and line_is_free(trial_id)
    if free:
        start_plan(rows, now=now)
    enqueue(rows, new=not again)
    if not free:
        release(now=now, order_ids=[order.pk])


def _build(
    order: Order, step: PlannedStep, position: int, records: list[BillingRecord], domains: int, now: datetime.datetime
) -> Dispatch:  # fmt: skip
    """Builds one step of the plan. Its size is the number of its records, or of the domains if it names them."""
    place = {"position": position, "gate": step.gate}
    if step.gate == Dispatch.Gate.START:
        place["not_before"] = order.start_at
    channel = STEPS[step.step].channel
    if channel == Dispatch.Channel.BILLING:
        return build_step(order, step.step, now=now, records=[row.pk for row in records], **place)
    return build_step(order, step.step, now=now, size=0 if channel == Dispatch.Channel.USAGE else domains, **place)


def _keep(row: Dispatch, order: Order, position: int, gate: str) -> None:
    """Moves a dispatch of an earlier plan into the new one. It is done, under way, or repeated with key and bytes."""
    places = {"plan": order.plans, "position": position, "gate": gate, "superseded": False}
    if row.state not in {Dispatch.State.DONE, *OPEN_STATES}:
        places |= {"state": Dispatch.State.WAITING, "next_try_at": None, "tries_left": None}
        places |= {"error_code": "", "error": "", "error_params": {}}
    Dispatch.objects.filter(pk=row.pk).update(**places)
