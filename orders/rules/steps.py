"""The table of steps. It has one row for each step that an order may have, with all that is known about the step's
kind.

A new step is a name in `Step` and a row in `STEPS`. A new partner is a folder in `integrations`, a name in `Partner`, a
channel, and the rows of its steps. docs/architecture.md says what else a new step and a new partner need.
"""

import enum
from dataclasses import KW_ONLY, dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Channel(TextChoices):
    """The way in which a step is carried out."""

    FILES = "files", _("Info-security files")
    USAGE = "usage", _("Trial traffic")
    BILLING = "billing", _("Billing")
    BPM = "bpm", _("BPM")
    MAIL = "mail", _("Mail")


class Partner(TextChoices):
    """The partner that is called. Each breaker, pause and incident belongs to a partner."""

    BIGDATA = "bigdata", _("Big data")
    BPM = "bpm", _("BPM")
    MAIL = "mail", _("Mail")
    FILES = "files", _("Files")


PARTNERS = {
    Channel.BILLING: Partner.BIGDATA,
    Channel.USAGE: Partner.BIGDATA,
    Channel.BPM: Partner.BPM,
    Channel.MAIL: Partner.MAIL,
    Channel.FILES: Partner.FILES,
}  # the partner of each channel
LONGEST_RETRY_AFTER = 6 * 3600.0  # seconds that a partner's Retry-After may ask for at most
OUTSIDE = tuple(name for name in Partner.values if name != Partner.FILES)
"""These can be paused and have a circuit breaker, and PARTNER_RATE bounds their calls."""
OTHER_CHANNELS = tuple(
    channel
    for channel in Channel
    if channel not in {Channel.FILES, Channel.USAGE, Channel.BILLING, Channel.BPM, Channel.MAIL}
)  # the order's page shows their calls in a stage and a tab; the five named here have pages of their own


def channels_of(*partners: str) -> list[str]:
    return [channel for channel, partner in PARTNERS.items() if partner in partners]


class Step(TextChoices):
    """The names of steps, and of the kinds of mails about orders, with their labels for staff.

    A mail is no step. Only history has steps with the names of mails, since versions before 1.8.0 planned mails as
    steps.
    """

    CHECK_FILES = "check_files", _("Check info-security files")
    FETCH_USAGE = "fetch_usage", _("Fetch trial traffic")
    CREATE_TRIAL = "create_trial_billing", _("Create trial records")
    CANCEL_TRIAL = "cancel_trial_billing", _("Cancel trial records")
    EXTEND_TRIAL = "extend_trial_billing", _("Post trial records with their new end")
    CREATE_BILLING = "create_billing", _("Create commercial records")
    MOVE_START = "move_start_billing", _("Move the start of commercial records")
    CANCEL_BILLING = "cancel_billing", _("Cancel commercial records")
    START_BPM = "start_bpm", _("Start the BPM process")
    DELETE_BILLING = "delete_billing", _("Delete commercial records")
    VERIFY_DELETED = "verify_deleted", _("Verify that the records are gone")
    RESTORE_TRIAL = "restore_trial_billing", _("Restore trial records")
    ASK_BILLING = "ask_billing", _("Ask what the big-data side holds")
    MAIL_SENT = "mail_sent_to_bpm", _("Mail: sent to BPM")
    MAIL_BILLED = "mail_billed", _("Mail: billing went out")
    MAIL_REJECTED = "mail_rejected", _("Mail: rejected")
    MAIL_HELD = "mail_held", _("Mail: held")
    MAIL_INCIDENT = "mail_incident", _("Mail: incident")
    MAIL_OVER = "mail_incident_over", _("Mail: incident over")
    MAIL_RECONCILED = "mail_reconciled", _("Mail: reconciliation")
    FIX_CREATE = "fix_create_billing", _("Reconciliation: send records again")
    FIX_DELETE = "fix_delete_billing", _("Reconciliation: delete records")
    MOVE_ATTRIBUTION = "move_attribution_billing", _("Post records with their corrected attribution")


class Phase(enum.IntEnum):
    """The position of a step among the steps of its order: the first position of its kind."""

    FIX = 0  # in front, so that no other step overtakes a fix
    PLAN = 1
    UNDO = 500
    AFTER = 900  # questions for traffic, which an undo mark does not stop


class Effect(enum.Enum):
    """The effect of a step on billing records at the big-data side."""

    NONE = enum.auto()
    CREATE = enum.auto()  # gives records their start and end
    EXTEND = enum.auto()  # gives live records another end
    MOVE = enum.auto()  # gives live records another start
    RESTORE = enum.auto()  # makes cancelled records live again, with the end that they had
    CANCEL = enum.auto()
    DELETE = enum.auto()
    VERIFY = enum.auto()  # checks that records are gone, and deletes the records that are still there
    ASK = enum.auto()  # changes nothing at the partner, whatever the partner answers


LIVE, CANCELLED, DELETED = "live", "cancelled", "deleted"  # states of a billing record
RECORD_STATE_AFTER = {
    Effect.CREATE: LIVE,
    Effect.EXTEND: LIVE,
    Effect.MOVE: LIVE,
    Effect.RESTORE: LIVE,
    Effect.CANCEL: CANCELLED,
    Effect.DELETE: DELETED,
    Effect.VERIFY: DELETED,
}


@dataclass(frozen=True)
class StepKind:
    """The properties of a step that depend on its name alone.

    `effect`: its effect on its records. `phase`: the step's position if `build_step` gets no other `position`.
    `blocking`: later steps of its order wait for it. `serialised_per_trial`: the step changes the trial's records. Such
    steps of all orders of the trial run one after the other. `derived_key`: the step's key can be derived again
    (contract 3.5). All other steps have random keys. `keeps_key`: if the step may have taken effect, it is sent again
    with the same key and bytes, so that the partner acts once. `compensated`: if the step fails for good, an activation
    is undone (contract 3.9, Compensation's reach). `ignore_failure_when_undoing`: while its order is being undone, its
    failure opens no incident. `survives_replanning`: if the step is done, a new plan keeps it. `repeatable`: `resend
    --force` may send the step once more. `fix`: the step is not part of the plan. It corrects the partner's records,
    and its failure blocks no other step. `undone_by`: the compensation steps that undo the step.

    Three properties follow from these. `partner`: the partner that is called. `record_state_after`: the state of the
    step's records when the step is done, or "" for a fix, which has no records. `sets_record_times`: the step's T sets
    the times of its records, and its response alone settles the records. A deletion does not have this property, since
    its result may need a verification.
    """

    name: str
    channel: str
    effect: Effect = Effect.NONE
    phase: Phase = Phase.PLAN
    _: KW_ONLY
    blocking: bool = True
    serialised_per_trial: bool = False
    derived_key: bool = False
    keeps_key: bool = False
    compensated: bool = False
    ignore_failure_when_undoing: bool = False
    survives_replanning: bool = False
    repeatable: bool = True
    fix: bool = False
    undone_by: tuple[str, ...] = ()
    partner: str = ""
    record_state_after: str = ""
    sets_record_times: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "partner", PARTNERS[Channel(self.channel)].value)
        object.__setattr__(self, "record_state_after", "" if self.fix else RECORD_STATE_AFTER.get(self.effect, ""))
        object.__setattr__(self, "sets_record_times", self.record_state_after in {LIVE, CANCELLED})


STEPS: dict[str, StepKind] = {
    kind.name: kind
    for kind in (
        StepKind(
            Step.CHECK_FILES, Channel.FILES, ignore_failure_when_undoing=True, survives_replanning=True,
            repeatable=False,
        ),
        StepKind(
            Step.FETCH_USAGE, Channel.USAGE, Effect.ASK, blocking=False, ignore_failure_when_undoing=True,
            survives_replanning=True,
        ),
        StepKind(
            Step.CREATE_TRIAL, Channel.BILLING, Effect.CREATE, serialised_per_trial=True, derived_key=True,
            undone_by=(Step.CANCEL_TRIAL,),
        ),
        StepKind(
            Step.CANCEL_TRIAL, Channel.BILLING, Effect.CANCEL, serialised_per_trial=True, derived_key=True,
            compensated=True, undone_by=(Step.RESTORE_TRIAL,),
        ),
        StepKind(
            Step.EXTEND_TRIAL, Channel.BILLING, Effect.EXTEND, serialised_per_trial=True, derived_key=True,
            undone_by=(Step.RESTORE_TRIAL,),
        ),
        StepKind(
            Step.CREATE_BILLING, Channel.BILLING, Effect.CREATE, derived_key=True, compensated=True,
            undone_by=(Step.DELETE_BILLING, Step.VERIFY_DELETED, Step.CANCEL_BILLING),
        ),
        StepKind(
            Step.MOVE_START, Channel.BILLING, Effect.MOVE,
            undone_by=(Step.DELETE_BILLING, Step.VERIFY_DELETED, Step.CANCEL_BILLING),
        ),
        StepKind(
            Step.START_BPM, Channel.BPM, derived_key=True, keeps_key=True, compensated=True,
            ignore_failure_when_undoing=True,
        ),
        StepKind(Step.CANCEL_BILLING, Channel.BILLING, Effect.CANCEL, Phase.UNDO, derived_key=True),
        StepKind(Step.DELETE_BILLING, Channel.BILLING, Effect.DELETE, Phase.UNDO),
        StepKind(Step.VERIFY_DELETED, Channel.BILLING, Effect.VERIFY, Phase.UNDO, repeatable=False),
        StepKind(Step.RESTORE_TRIAL, Channel.BILLING, Effect.RESTORE, Phase.UNDO, serialised_per_trial=True),
        StepKind(Step.ASK_BILLING, Channel.BILLING, Effect.ASK, repeatable=False),
        StepKind(Step.FIX_CREATE, Channel.BILLING, Effect.CREATE, Phase.FIX, fix=True, repeatable=False),
        StepKind(Step.FIX_DELETE, Channel.BILLING, Effect.DELETE, Phase.FIX, fix=True, repeatable=False),
        StepKind(Step.MOVE_ATTRIBUTION, Channel.BILLING, Effect.CREATE, Phase.FIX, fix=True, repeatable=False),
    )
}  # fmt: skip


def named(**facts: object) -> list[str]:
    """Returns the names of the steps that have all these values. Used in queries, as in `named(effect=Effect.ASK)`."""
    return [kind.name for kind in STEPS.values() if all(getattr(kind, name) == value for name, value in facts.items())]


FIXES = named(fix=True)
DELETIONS = {*named(effect=Effect.DELETE), *named(effect=Effect.VERIFY)}
OF_COMPARISONS = [Step.FIX_CREATE, Step.FIX_DELETE]  # correct only at the time of the comparison, so never sent again
SENDS_NOTHING = '{"productInfos":[]}'
"""The payload of a billing step that found nothing to send: no call is made for it, so none can act late."""

BY_STEP: dict[str, str] = {Step.FETCH_USAGE: "bigdata.traffic", Step.START_BPM: "bpm.start"}
BY_EFFECT: dict[Effect, str] = {
    Effect.DELETE: "bigdata.delete",
    Effect.VERIFY: "bigdata.query",
    Effect.ASK: "bigdata.query",
}


def call_name(step: str, *, posted: bool | None = False) -> str:
    """Returns the first call of a step (contract 7.1), or an empty string for steps without a call.

    `posted`: the step's deletions are posted as cancelled records. The choice is frozen with the call.
    """
    kind = STEPS[step]
    if kind.channel != Channel.BILLING:
        return BY_STEP.get(kind.name, "")
    return "bigdata.post" if posted and kind.effect == Effect.DELETE else BY_EFFECT.get(kind.effect, "bigdata.post")


def steps_of_call(step: str) -> list[str]:
    """Returns the names of the steps that use the same call."""
    call = call_name(step)
    return [name for name in STEPS if call_name(name) == call]
