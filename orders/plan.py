"""The plan of an order: a list of steps (contract 3.2). Pure: facts in, steps out."""

from dataclasses import dataclass

from orders.models import Dispatch, Order

Step, Gate = Dispatch.Step, Dispatch.Gate


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """All that a plan depends on.

    `removed` and `added`: whether a change removes or adds domains, or both, if it changes the service type.
    `extended`: whether the records that stay get another end.
    """

    kind: str
    first: bool | None = None
    later: bool = False
    files: bool = False
    removed: bool = False
    added: bool = False
    extended: bool = False
    billing_at_once: bool = False


@dataclass(frozen=True)
class PlannedStep:
    """One planned step, and what it waits for besides the steps in front of it. `orders.steps` says the rest."""

    step: str
    gate: str = Gate.NONE


def build_plan(facts: PlanFacts) -> list[PlannedStep]:
    """The steps of an order, in the order in which they are carried out."""
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
    bpm = [PlannedStep(Step.START_BPM), PlannedStep(Step.MAIL_SENT)]
    if not facts.first:
        billing = PlannedStep(Step.CREATE_BILLING, Gate.NONE if facts.billing_at_once else Gate.APPROVAL)
        return [*check, *bpm, billing, PlannedStep(Step.MAIL_BILLED)]
    usage, create = PlannedStep(Step.FETCH_USAGE), PlannedStep(Step.CREATE_BILLING)
    if facts.later:
        return [*check, usage, create, *bpm, PlannedStep(Step.CANCEL_TRIAL, Gate.START)]
    return [*check, usage, PlannedStep(Step.CANCEL_TRIAL), create, *bpm]
