"""Proof of calls, and the steps that wait for a proof (contract 7.2, Proof).

Three kinds of calls need proof: a billing create, an activation's immediate cancel of its trial, and a BPM start. A
kind is proven once the rules in force read an answer to such a call as a success. Until then, all processes together
have at most one call of the kind in progress. The first doubtful answer holds all kinds of that partner. A proven kind
stays proven, so each process reads the proof only once.
"""

import datetime
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.db.advisory_lock import take_lock
from orders.history.order_locks_and_events import add_event
from orders.models import Attempt, Dispatch, KeptAnswer, Order, PartnerHold, PartnerProof
from orders.outbox.outcome import NOT_UNDERSTOOD, Outcome
from orders.rules.steps import STEPS, Partner, Step, call_name

CREATE, CANCEL, START = "create", "cancel", "start"
CALLS = {CREATE: call_name(Step.CREATE_BILLING), CANCEL: call_name(Step.CANCEL_TRIAL), START: call_name(Step.START_BPM)}
BY_STEP = {Step.CREATE_TRIAL: CREATE, Step.CREATE_BILLING: CREATE, Step.CANCEL_TRIAL: CANCEL, Step.START_BPM: START}
PARTNER_OF = {kind: call.partition(".")[0] for kind, call in CALLS.items()}
PROOF_LOCK = (0x1D5D, 1)  # an advisory lock: claims that may send an unproven kind take turns
RUN_LOCK = 0x1D5E  # the first half of a kind's lock
BY_SUCCESS = "success"
REFUSED, LATER = "refused", "later"  # meanings of an answer
A_DAY = datetime.timedelta(hours=24)
LOOKED_AT = 50  # the newest refusals
SAID = 500  # characters of an answer in an incident
ASKED = {  # the question to decide, without and with the lines of the profile
    Partner.BPM: ("doubt_bpm", "doubt_bpm_rule"),
    Partner.BIGDATA: ("doubt_bigdata", "doubt_bigdata_rule"),
}


@dataclass
class Rules:
    """Functions that know the rules in force. `integrations` sets them when the app starts.

    `hash_of`: returns the hash of a call's address and rules. `read`: returns the meaning of a kept answer by the
    current rules, and its process number. `lines`: gets a call, a status, bytes and a charset. Returns the lines of the
    profile that would make this answer a success, and the lines that would make it a refusal. `others`: returns the
    machines that have another profile.
    """

    hash_of: Callable[[str], str] | None = None
    read: Callable[[KeptAnswer], tuple[str, str]] | None = None
    lines: Callable[[str, int, bytes, str], tuple[str, str]] | None = None
    others: Callable[[], list[str]] | None = None


@dataclass(frozen=True)
class Gate:
    """The limits of a claim for kinds that need proof. A claim takes no step of the kinds in `shut`, and at most one
    step of each kind in `single`."""

    shut: frozenset[str] = frozenset()
    single: tuple[str, ...] = ()

    @property
    def left_out(self) -> frozenset[str]:
        return self.shut.union(self.single)


rules = Rules()
known: set[tuple[str, str]] = set()  # kinds and rules that this process knows to be proven
free: set[tuple[str, ...]] = set()  # the rules under which all kinds are proven, and nothing is held
ALL_OPEN = Gate()


def asks_proof() -> bool:
    return settings.PARTNER_ANSWERS != "trust" and rules.hash_of is not None


def kind_of(row: Dispatch) -> str:
    """Returns the kind of a step that needs proof, or an empty string for all other steps."""
    kind = BY_STEP.get(Step(row.step), "") if not (row.undo or row.repeat) else ""
    if kind == CANCEL and (row.gate == Dispatch.Gate.START or row.order.kind != Order.Kind.ACTIVATION):
        return ""
    return kind


def is_never_repeated(step: str) -> bool:
    """Returns True if a call of this step must not be repeated once it may have acted, since BPM knows no keys
    (`repeats = "ask"`)."""
    return step == Step.START_BPM and settings.PARTNERS.bpm.repeats == "ask"


def of_kind(kind: str) -> Q:
    """Returns `kind_of` as a condition."""
    found = Q(step__in=[step for step in BY_STEP if BY_STEP[step] == kind], undo=False, repeat=False)
    if kind == CANCEL:
        activation = Order.objects.filter(pk=OuterRef("order_id"), kind=Order.Kind.ACTIVATION)
        found &= ~Q(gate=Dispatch.Gate.START) & Q(Exists(activation))
    return found


def hash_of(kind: str) -> str:
    assert rules.hash_of
    return rules.hash_of(CALLS[kind])


def is_proven(kind: str) -> bool:
    """Returns True if a kind is proven under the rules in force. Makes at most one query, and no query once this
    process knows the proof."""
    pair = (kind, hash_of(kind))
    if pair not in known and PartnerProof.objects.filter(kind=kind, rules=pair[1]).exists():
        known.add(pair)
    return pair in known


def gate(*, now: datetime.datetime, past_hold: bool = False) -> Gate:
    """Returns the kinds that may be claimed now. Called in the claim's transaction. Needs no query once all kinds are
    proven. `past_hold`: a person sends one step despite a hold.

    The calls in progress are read before the holds, since a doubtful answer ends its call and adds its hold in one
    transaction.
    """
    if not asks_proof():
        return ALL_OPEN
    in_force = tuple(map(hash_of, CALLS))
    if in_force in free:
        return ALL_OPEN
    take_lock(PROOF_LOCK)
    unproven = [kind for kind in CALLS if not is_proven(kind)]
    sending = Dispatch.objects.filter(state=Dispatch.State.SENDING, next_try_at__gt=now)
    flying = {kind for kind in unproven if sending.filter(of_kind(kind)).exists()}
    held = set(PartnerHold.objects.filter(ended_at=None).values_list("partner", flat=True))
    if not unproven and not held:
        free.add(in_force)
        return ALL_OPEN
    held = set() if past_hold else held
    shut = frozenset(kind for kind in CALLS if kind in flying or PARTNER_OF[kind] in held)
    return Gate(shut, tuple(kind for kind in unproven if kind not in shut))


def note_proofs(rows: Iterable[Dispatch], outcomes: dict[int, Outcome], *, now: datetime.datetime, by: str) -> None:
    """Stores the kinds that an answer proves, and ends the holds that waited for them."""
    for row in rows if asks_proof() else ():
        outcome = outcomes[row.pk]
        kind = kind_of(row) if outcome.read == "success" and outcome.rules else ""
        if kind and (kind, outcome.rules) not in known:
            prove(kind, outcome.rules, order=row.order.number, now=now)
            end_holds(PARTNER_OF[kind], by=BY_SUCCESS, now=now, kind=kind)


def prove(kind: str, hashed: str, *, order: str, now: datetime.datetime) -> None:
    row = PartnerProof(kind=kind, call=CALLS[kind], rules=hashed, proven_at=now, order=order)
    PartnerProof.objects.bulk_create([row], ignore_conflicts=True)


def hold(row: Dispatch, kind: str, code: str, detail: str, *, now: datetime.datetime) -> None:
    """Adds a hold that stops the partner's creates, immediate cancels and starts, unless the partner has a hold
    already."""
    held = PartnerHold(
        partner=PARTNER_OF[kind],
        kind=kind,
        call=CALLS[kind],
        code=code,
        detail=detail,
        order=row.order.number,
        since=now,
    )
    if PartnerHold.objects.filter(partner=held.partner, ended_at=None).exists():
        return
    PartnerHold.objects.bulk_create([held], ignore_conflicts=True)
    about = {"partner": held.partner, "call": held.call, "code": code}
    add_event(row.order, "calls_held", by="system", now=now, **about)


def end_holds(partner: str, *, by: str, now: datetime.datetime, kind: str = "") -> list[PartnerHold]:
    """Ends the partner's hold (one of this kind, if given). Returns the ended holds."""
    rows = PartnerHold.objects.select_for_update().filter(partner=partner, ended_at=None)
    found = list(rows.filter(kind=kind) if kind else rows)
    for row in found:
        row.ended_at, row.ended_by = now, by[:160]
        row.save(update_fields=["ended_at", "ended_by"])
        add_event(None, "calls_go_on", by=by, now=now, partner=partner, call=row.call, code=row.code)
    return found


def held_steps(partner: str, *, now: datetime.datetime) -> QuerySet[Dispatch]:
    """Returns the due steps that are stopped by a hold of this partner."""
    kinds = Q(pk__in=[])
    for kind in CALLS:
        kinds |= of_kind(kind) if PARTNER_OF[kind] == partner else Q(pk__in=[])
    return Dispatch.objects.current().due(now).filter(kinds)


def proofs_in_force() -> dict[str, PartnerProof | None]:
    """Returns the proof of each kind under the rules in force. The proof of an unproven kind is None."""
    found = {(row.kind, row.rules): row for row in PartnerProof.objects.all()}
    return {kind: found.get((kind, hash_of(kind))) for kind in CALLS}


def lock_refused(rows: Iterable[Dispatch], outcomes: dict[int, Outcome]) -> None:
    """Locks the kinds of the refused steps, in a fixed order, so that concurrent refusals are counted one by one."""
    if not asks_proof():
        return
    kinds = {kind_of(row) for row in rows if outcomes[row.pk].read == REFUSED}
    for number, kind in enumerate(CALLS):
        if kind in kinds:
            take_lock((RUN_LOCK, number))


def is_in_run(kind: str, outcome: Outcome) -> bool:
    """Returns True if two orders were refused with this code within a day, and no step of the kind was accepted after
    that."""
    same = KeptAnswer.objects.filter(kind=kind, said=outcome.code[:32], read=REFUSED)
    if len(told := list(same.order_by("-at").values_list("order", "at", "after")[:LOOKED_AT])) < 2:
        return False
    after = _newest_accepted(kind)
    told = [(order, at) for order, at, before in told if before == after]
    return any(one != other and at - before <= A_DAY for (one, at), (other, before) in itertools.combinations(told, 2))


def _newest_accepted(kind: str) -> int:
    steps = Dispatch.objects.filter(of_kind(kind), pk=OuterRef("dispatch_id"))
    accepted = Attempt.objects.filter(Exists(steps), outcome=Attempt.Outcome.OK).order_by("-pk")
    return accepted.values_list("pk", flat=True).first() or 0


def say_doubt(row: Dispatch, outcome: Outcome) -> dict:
    """Builds the incident's text about a doubtful answer. The text has the question to decide, the answer as received,
    and the lines of the profile that decide how the answer is read. Without an answer, the text is empty."""
    if outcome.read not in {REFUSED, LATER, NOT_UNDERSTOOD} or rules.lines is None:
        return {}
    success, refused = rules.lines(
        call_name(row.step, posted=row.posted), outcome.http_status or 0, outcome.raw, outcome.charset
    )
    bare, with_lines = ASKED[STEPS[row.step].partner]
    code = with_lines if success else bare
    said = {"number": row.order.number, "answer": f"HTTP {outcome.http_status} {outcome.answer[:SAID]}"}
    return {"code": code, **said} | ({"success": success, "refused": refused} if success else {})


def keep_answer(row: Dispatch, outcome: Outcome, now: datetime.datetime) -> None:
    """Stores the bytes of an answer that was not understood, or of a refusal of a step that needs proof."""
    kind = kind_of(row) if outcome.read in {REFUSED, NOT_UNDERSTOOD} else ""
    if not (kind or outcome.not_understood):
        return
    about = {"kind": kind, "call": call_name(row.step, posted=row.posted), "order": row.order.number, "at": now}
    came = {"http_status": outcome.http_status, "charset": outcome.charset, "raw": outcome.raw}
    said = {"read": outcome.read, "said": outcome.code[:32], "after": _newest_accepted(kind) if kind else 0}
    KeptAnswer.objects.update_or_create(attempt_id=outcome.attempt_id, defaults=about | came | said)
