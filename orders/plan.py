"""What an order causes, as a list of steps (contract 3.2). Pure: facts in, steps out."""

from dataclasses import dataclass

from orders.models import Dispatch, Order

Step, Channel, Gate = Dispatch.Step, Dispatch.Channel, Dispatch.Gate


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """All that a plan depends on. `removed` and `added`: whether a change takes away or brings domains (or both,
    when it changes the service type); `extended`: whether the records that stay get another end."""

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
    """One step to be. `in_line`: it touches the trial's records and waits its turn in the trial's line."""

    step: str
    channel: str
    blocking: bool = True
    gate: str = Gate.NONE
    in_line: bool = False


CHECK_FILES = PlannedStep(Step.CHECK_FILES, Channel.FILES)
FETCH_USAGE = PlannedStep(Step.FETCH_USAGE, Channel.USAGE, blocking=False)
CREATE_TRIAL = PlannedStep(Step.CREATE_TRIAL, Channel.BILLING, in_line=True)
EXTEND_TRIAL = PlannedStep(Step.EXTEND_TRIAL, Channel.BILLING, in_line=True)
CANCEL_TRIAL = PlannedStep(Step.CANCEL_TRIAL, Channel.BILLING, in_line=True)
CANCEL_TRIAL_AT_START = PlannedStep(Step.CANCEL_TRIAL, Channel.BILLING, gate=Gate.START, in_line=True)
CREATE_BILLING = PlannedStep(Step.CREATE_BILLING, Channel.BILLING)
CREATE_APPROVED_BILLING = PlannedStep(Step.CREATE_BILLING, Channel.BILLING, gate=Gate.APPROVAL)
START_BPM = PlannedStep(Step.START_BPM, Channel.BPM)
MAIL_SENT = PlannedStep(Step.MAIL_SENT, Channel.MAIL, blocking=False)
MAIL_BILLED = PlannedStep(Step.MAIL_BILLED, Channel.MAIL, blocking=False)


def build_plan(facts: PlanFacts) -> list[PlannedStep]:
    """The steps of an order, in the order in which they are carried out."""
    if facts.kind == Order.Kind.TRIAL:
        return [CREATE_TRIAL]
    if facts.kind == Order.Kind.CHANGE:
        parts = (CANCEL_TRIAL, facts.removed), (CREATE_TRIAL, facts.added), (EXTEND_TRIAL, facts.extended)
        return [step for step, wanted in parts if wanted]
    check = [CHECK_FILES] if facts.files else []
    if not facts.first:
        billing = CREATE_BILLING if facts.billing_at_once else CREATE_APPROVED_BILLING
        return [*check, START_BPM, MAIL_SENT, billing, MAIL_BILLED]
    if facts.later:
        return [*check, FETCH_USAGE, CREATE_BILLING, START_BPM, MAIL_SENT, CANCEL_TRIAL_AT_START]
    return [*check, FETCH_USAGE, CANCEL_TRIAL, CREATE_BILLING, START_BPM, MAIL_SENT]
