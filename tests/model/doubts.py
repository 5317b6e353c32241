"""Checks doubts, proofs and holds (contract 7.2) by counting calls and answers independently of the desk.

`Doubting` checks the steps that the model's worker claims, and each recording of outcomes. It also has the acts of
people that end doubts.
"""

import copy
import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from integrations.partners.calls import rules_hash
from integrations.partners.profile import Profile, read_profile
from orders.actions.take import take
from orders.db.compiled_sql import Prepared
from orders.db.expressions import OneOf
from orders.models import Attempt, Dispatch, PartnerHold, PartnerProof
from orders.outbox import proven_calls
from orders.outbox.outcome import Outcome, Work
from orders.sending.reread_answers import resume_partner
from orders.sending.resend import Selection, resend
from tests.model.acts import WrongError, act
from tests.model.partner import RULES

ASK = '[bpm]\nrepeats = "ask"\n'
PROFILES: dict[str, Profile] = {}
CALLS = {"create": "bigdata.post", "cancel": "bigdata.post", "start": "bpm.start"}
KINDS = {
    "create_trial_billing": "create",
    "create_billing": "create",
    "cancel_trial_billing": "cancel",
    "start_bpm": "start",
}
CODES = {"not_understood", "unanswered", "unproven", "refusals_in_a_row"}
A_DAY = datetime.timedelta(hours=24)
WHY = {"reason": "the model", "by": "staff:model"}
LEFT_ALONE = {"handed_back", "late", "lost", "held", ""}  # outcomes that say nothing new about a step


def start_anew() -> None:
    """Forgets all cached proofs, because a process that has just started has none."""
    proven_calls.known.clear()
    proven_calls.free.clear()


@dataclass
class Noted:
    """The facts that the calls so far have shown.

    `unclear` has the ids of steps with an answer that matches no rule of the profile. `unsure` has the ids of BPM
    starts that BPM may have carried out. `refused` has (code, order, time) of each refusal since the last success, by
    the kind of call.
    """

    unclear: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    refused: dict[str, list[tuple[str, str, datetime.datetime]]] = field(default_factory=dict)

    def in_run(self, kind: str, code: str) -> bool:
        same = [(order, at) for said, order, at in self.refused.get(kind, []) if said == code]
        return any(one != other and abs(at - before) <= A_DAY for one, at in same for other, before in same)


class Step(NamedTuple):
    """The values of a step in the database, in the order of COLUMNS."""

    pk: int
    step: str
    state: str
    error_code: str
    definite: bool
    may_have_acted: bool
    tries_left: int | None
    undo: bool
    repeat: bool
    gate: str
    about: dict
    number: str
    order_kind: str
    undo_since: datetime.datetime | None

    @property
    def kind(self) -> str:
        """Returns the kind of call that must be proven for this step, or "" if the step needs no proof."""
        kind = "" if self.undo or self.repeat else KINDS.get(self.step, "")
        immediate = self.gate != "start" and self.order_kind == "activation"
        return kind if kind != "cancel" or immediate else ""


COLUMNS = [*Step._fields[:-3], "order__number", "order__kind", "order__undo_since"]
STEPS = Prepared(lambda: Dispatch.objects.filter(OneOf("pk", "ids")).order_by().values_list(*COLUMNS))
TOLD = Prepared(lambda: Attempt.objects.filter(OneOf("pk", "ids")).order_by().values_list("pk", "outcome"))
HELD = Prepared(lambda: PartnerHold.objects.filter(ended_at=None).order_by().values_list("partner"))
PROVEN = Prepared(lambda: PartnerProof.objects.order_by().values_list("kind", "rules"))


def asks() -> bool:
    return settings.PARTNER_ANSWERS == "prove"


def is_proven(kind: str) -> bool:
    return (kind, rules_hash(CALLS[kind])) in PROVEN()


def steps_of(ids: Iterable[int]) -> dict[int, Step]:
    return {row[0]: Step(*row) for row in STEPS(ids=set(ids))}


class Doubting:
    """Checks the worker, and carries out staff's acts about doubts."""

    def __init__(self):
        self.noted, self.copied = Noted(), Noted()
        start_anew()

    # --- checks

    def watch_claim(self, works: list[Work], air: Iterable[Work], now: datetime.datetime) -> None:
        """Raises WrongError if the worker claimed steps that it must not send.

        Steps for a held partner must not be claimed. At most one step of an unproven kind may be in progress. A BPM
        start must not be repeated if an earlier attempt may have started a process and the profile has
        `repeats = "ask"`.
        """
        works = [work for work in works if not work.mail]
        starts = [work for work in works if work.step == "start_bpm"]
        if settings.PARTNERS.bpm.repeats == "ask":
            for work in starts:
                if work.dispatch_id in self.noted.unsure or work.after_loss:
                    raise WrongError("what may have acted is not repeated", work.order)
        self.noted.unsure |= {work.dispatch_id for work in starts if work.after_loss}
        if not asks() or not any(work.step in KINDS for work in works):
            return
        flying = [work for work in air if not work.mail and work.lease_until > now]
        kinds = {pk: row.kind for pk, row in steps_of(work.dispatch_id for work in [*works, *flying]).items()}
        for kind in {kinds[work.dispatch_id] for work in works} - {""}:
            if CALLS[kind].partition(".")[0] in HELD():
                raise WrongError("nothing that is held is sent", kind)
            same = [work.order for work in [*works, *flying] if kinds.get(work.dispatch_id) == kind]
            if len(same) > 1 and not is_proven(kind):
                raise WrongError("one of an unproven kind is in the air", kind, *same)

    def watch_recording(self, outcomes: list[Outcome], record: Callable) -> None:
        """Records outcomes with `record`. Then raises WrongError if the state of a step contradicts contract 7.2."""
        outcomes = [one for one in outcomes if not one.mail]
        before = steps_of(one.dispatch_id for one in outcomes) if outcomes else {}
        proven = {kind: is_proven(kind) for kind in {row.kind for row in before.values()} - {""}} if asks() else {}
        record()
        if all(one.result == "ok" and proven.get(before[one.dispatch_id].kind, True) for one in outcomes):
            ours = outcomes if self.noted.refused else []
        else:
            told = dict(TOLD(ids=[one.attempt_id for one in outcomes]))
            ours = [one for one in outcomes if told.get(one.attempt_id, "") not in LEFT_ALONE]
        for one in ours:
            if one.result == "ok":
                self.noted.refused.pop(before[one.dispatch_id].kind, None)
        after = steps_of(one.dispatch_id for one in ours) if ours else {}
        lines = []
        for one in ours:
            row = before[one.dispatch_id]
            kind = row.kind if asks() else ""
            lines += self._wrong(one, row, after[row.pk], kind, proven.get(kind, True))
        if lines:
            raise WrongError("doubt", *lines)

    def _wrong(self, one: Outcome, before: Step, row: Step, kind: str, proven: bool) -> Iterator[str]:
        name = f"{row.number} {row.step} ({row.state}, {row.error_code})"
        if one.read == "not_understood" and one.result == "retry":
            self.noted.unclear.add(row.pk)
        doubt = self._doubt(one, before, kind, proven)
        if row.step == "start_bpm" and one.unknown:
            self.noted.unsure.add(row.pk)
        if kind and one.read == "refused":
            self.noted.refused.setdefault(kind, []).append((one.code, row.number, timezone.now()))
        if kind and one.result == "ok" and one.read == "success":
            if (kind, one.rules) not in PROVEN():
                yield f"{name} is a success, and proves nothing"
            if not proven and PartnerHold.objects.filter(kind=kind, ended_at=None).exists():
                yield f"{name} is a success, and the hold goes on"
        if row.state == "retrying" and self._ends_at_once(one, row, proven):
            yield f"{name} is tried again"
        if row.state != "failed":
            return
        if (row.error_code in CODES or bool(doubt)) and row.error_code != doubt:
            yield f"{name}: its doubt is {doubt or 'none'}"
        if doubt and (row.definite or not row.may_have_acted):
            yield f"{name} counts as refused"
        if doubt and row.undo_since and not before.undo_since:
            yield f"{name} undoes its order"
        unread = one.read == "not_understood"
        shuts = doubt and kind and not proven and (unread or one.read == "refused")
        if shuts and CALLS[kind].partition(".")[0] not in HELD():
            yield f"{name} holds nothing"
        first = before.tries_left is None and settings.DISPATCH_RETRY_SECONDS and row.step != "move_start"
        if unread and first and not self._ends_at_once(one, row, proven):
            yield f"{name} is not tried again"

    def _doubt(self, one: Outcome, row: Step, kind: str, proven: bool) -> str:
        """Returns the code of the doubt if this step is given up now, or "" if its failure causes no doubt."""
        books_decide = "held" in one.data and not row.about.get("again")
        if row.repeat or row.step == "move_start" or books_decide or one.result not in {"retry", "refused"}:
            return ""
        if row.pk in self.noted.unclear:
            return "not_understood"
        if row.step == "start_bpm" and (one.unknown or row.pk in self.noted.unsure):
            return "unanswered"
        if not kind or one.read != "refused":
            return ""
        return "unproven" if not proven else "refusals_in_a_row" if self.noted.in_run(kind, one.code) else ""

    def _ends_at_once(self, one: Outcome, row: Step, proven: bool) -> bool:
        never = row.step == "start_bpm" and settings.PARTNERS.bpm.repeats == "ask"
        return (one.read == "not_understood" and not proven) or (never and one.unknown)

    def proofs_wrong(self) -> list[str]:
        """Returns an error for each kind of call that counts as proven although no call of this kind succeeded."""
        kinds = {kind for kind, _rules in PROVEN()}
        return [f"proof: {kind} is proven, and none was accepted" for kind in sorted(kinds - self.wire.told)]

    # --- acts of people

    @act
    def profile(self, *, ask: bool = False, odd: bool = False):
        """Makes another partner profile valid, and restarts all processes.

        With `odd`, the profile has rules for answers that matched no rule before. With `ask`, the profile has `repeats
        = "ask"` for BPM. A BPM that ignores idempotency keys always gets this value.
        """
        text = (ASK if ask or self.wire.forgetful else "") + (RULES if odd else "")
        if text not in PROFILES:
            PROFILES[text] = read_profile(text)
            object.__setattr__(PROFILES[text], "digest", "")  # all processes have the new profile at once
        settings.PARTNERS = PROFILES[text]
        start_anew()

    @act
    def take_start(self, number: str, named: bool = True):
        """Records that BPM's staff said that BPM has the order's process.

        With `named`, records the id of the process too.
        """
        found = [row["processId"] for row in self.wire.partners.store.processes() if row["code"] == number]
        if not found:
            return "BPM has no such process"
        process = found[-1] if named else ""
        take(number=number, step="start_bpm", process=process, now=timezone.now(), **WHY)
        return ""

    @act
    def send_anew(self, number: str):
        """Resends an order's steps in doubt, because staff say that these steps did nothing.

        Does nothing if BPM has a process of the order, or may still start one.
        """
        if self.may_start(number):
            return "BPM has its process"
        judged = resend(Selection(numbers=(number,), anew=True), now=timezone.now(), **WHY).judgements
        return ", ".join(f"{row.order} {row.step}: {row.verdict}" for row in judged)

    def may_start(self, number: str) -> bool:
        """Returns True if BPM has a process of the order, or may still start one."""
        late = any(f'"{number}"'.encode() in call.body for _, call in self.wire.stalled if "/bpm/" in call.path)
        return late or any(row["code"] == number for row in self.wire.partners.store.processes())

    def let_go(self) -> None:
        """Resumes all held partners. This is a part of other acts, not an act."""
        for partner in HELD():
            resume_partner(partner=partner, by=WHY["by"], now=timezone.now())
            self.paused.pop(partner, None)

    def copy_notes(self) -> None:
        self.copied = copy.deepcopy(self.noted)

    def restore_notes(self) -> None:
        self.noted = copy.deepcopy(self.copied)
        start_anew()
