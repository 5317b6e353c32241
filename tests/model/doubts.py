"""What is doubtful, proven and held (contract 7.2), counted beside the desk: by what was called and answered.

`Doubting` watches each claim and each recording of the model's worker, and has the acts that lead out of doubt.
"""

import copy
import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from integrations.partners.calls import rules_hash
from integrations.partners.profile import Profile, read_profile
from orders.books import BooksSilentError
from orders.models import Attempt, Dispatch, Order, PartnerHold, PartnerProof
from orders.services.outbox import proof
from orders.services.outbox.outcome import Outcome, Work
from orders.services.outbox.resend import Selection, resend
from orders.services.pausing import resume_partner
from orders.services.reconciliation.take import take
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
LEFT_ALONE = {"handed_back", "late", "lost", "held", ""}  # attempts that tell nothing new about their steps


def start_anew() -> None:
    """As processes start: they know nothing of what is proven."""
    proof.known.clear()
    proof.free.clear()


@dataclass
class Noted:
    """What was seen of calls. `unclear`, `unsure`: the steps that were answered in no words that a rule reads, and the
    starts of which an attempt may have acted. `refused`: (code, order, when) since the kind's last success."""

    unclear: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    refused: dict[str, list[tuple[str, str, datetime.datetime]]] = field(default_factory=dict)

    def in_run(self, kind: str, code: str) -> bool:
        same = [(order, at) for said, order, at in self.refused.get(kind, []) if said == code]
        return any(one != other and abs(at - before) <= A_DAY for one, at in same for other, before in same)


def kind_of(row: Dispatch) -> str:
    """Which proof a step asks for; empty for all others."""
    kind = "" if row.undo or row.repeat else KINDS.get(row.step, "")
    immediate = row.gate != Dispatch.Gate.START and row.order.kind == Order.Kind.ACTIVATION
    return kind if kind != "cancel" or immediate else ""


def asks() -> bool:
    return settings.PARTNER_ANSWERS == "prove"


def is_proven(kind: str) -> bool:
    return PartnerProof.objects.filter(kind=kind, rules=rules_hash(CALLS[kind])).exists()


def held_partners() -> set[str]:
    return set(PartnerHold.objects.filter(ended_at=None).values_list("partner", flat=True))


def steps_of(ids: Iterable[int]) -> dict[int, Dispatch]:
    return {row.pk: row for row in Dispatch.objects.filter(pk__in=ids).select_related("order").defer("payload")}


class Doubting:
    """Watches the worker, and what staff do about doubt."""

    def __init__(self):
        self.noted, self.copied = Noted(), Noted()
        start_anew()

    # --- what is watched

    def watch_claim(self, works: list[Work], air: Iterable[Work], now: datetime.datetime) -> None:
        """Nothing that is held is sent, one of an unproven kind at a time, and no start where BPM may have it."""
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
        steps, held = steps_of(work.dispatch_id for work in [*works, *flying]), held_partners()
        kinds = {pk: kind_of(row) for pk, row in steps.items()}
        for kind in {kinds[work.dispatch_id] for work in works} - {""}:
            if CALLS[kind].partition(".")[0] in held:
                raise WrongError("nothing that is held is sent", kind)
            same = [work.order for work in [*works, *flying] if kinds.get(work.dispatch_id) == kind]
            if len(same) > 1 and not is_proven(kind):
                raise WrongError("one of an unproven kind is in the air", kind, *same)

    def watch_recording(self, outcomes: list[Outcome], record) -> None:
        """Records, and judges what became of it."""
        outcomes = [one for one in outcomes if not one.mail]
        before = steps_of(one.dispatch_id for one in outcomes)
        proven = {kind: is_proven(kind) for kind in CALLS} if asks() else {}
        record()
        told = dict(Attempt.objects.filter(pk__in=[one.attempt_id for one in outcomes]).values_list("pk", "outcome"))
        ours = [one for one in outcomes if told.get(one.attempt_id, "") not in LEFT_ALONE and one.dispatch_id in before]
        after, lines = steps_of(one.dispatch_id for one in ours), []
        kinds = {pk: kind_of(row) if asks() else "" for pk, row in before.items()}
        for one in ours:
            if one.result == "ok":
                self.noted.refused.pop(kinds[one.dispatch_id], None)
        for one in ours:
            kind, row = kinds[one.dispatch_id], after[one.dispatch_id]
            about = {"kind": kind, "proven": proven.get(kind, True)}
            lines += self._wrong(one, before[one.dispatch_id], row, **about)
        if lines:
            raise WrongError("doubt", *lines)

    def _wrong(self, one: Outcome, before: Dispatch, row: Dispatch, *, kind: str, proven: bool) -> Iterator[str]:
        name = f"{row.order.number} {row.step} ({row.state}, {row.error_code})"
        if one.read == "not_understood" and one.result == "retry":
            self.noted.unclear.add(row.pk)
        doubt = self._doubt(one, before, kind, proven)
        if row.step == "start_bpm" and one.unknown:
            self.noted.unsure.add(row.pk)
        if kind and one.read == "refused":
            self.noted.refused.setdefault(kind, []).append((one.code, row.order.number, timezone.now()))
        if kind and one.result == "ok" and one.read == "success":
            if not PartnerProof.objects.filter(kind=kind, rules=one.rules).exists():
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
        if doubt and row.order.undo_since and not before.order.undo_since:
            yield f"{name} undoes its order"
        if doubt and kind and not proven and one.read in {"refused", "not_understood"}:
            if CALLS[kind].partition(".")[0] not in held_partners():
                yield f"{name} holds nothing"
        if one.read == "not_understood" and proven and before.tries_left is None and settings.DISPATCH_RETRY_SECONDS:
            if row.step != "move_start" and not self._ends_at_once(one, row, proven):
                yield f"{name} is not tried again"

    def _doubt(self, one: Outcome, row: Dispatch, kind: str, proven: bool) -> str:
        """The code that a step has which gives up now; empty where its failure is no doubt."""
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

    def _ends_at_once(self, one: Outcome, row: Dispatch, proven: bool) -> bool:
        never = row.step == "start_bpm" and settings.PARTNERS.bpm.repeats == "ask"
        return (one.read == "not_understood" and not proven) or (never and one.unknown)

    def proofs_wrong(self) -> list[str]:
        """Only a success proves."""
        kinds = set(PartnerProof.objects.values_list("kind", flat=True))
        return [f"proof: {kind} is proven, and none was accepted" for kind in sorted(kinds - self.wire.told)]

    # --- what people do

    @act
    def profile(self, *, ask: bool = False, odd: bool = False):
        """Another profile comes into force, and all processes start anew. `odd`: it reads what no rule read before.
        A BPM that knows no keys is asked in any case."""
        text = (ASK if ask or self.wire.forgetful else "") + (RULES if odd else "")
        if text not in PROFILES:
            PROFILES[text] = read_profile(text)
        settings.PARTNERS = PROFILES[text]
        start_anew()

    @act
    def take_start(self, number: str, named: bool = True):
        """BPM's people say that it has the process."""
        found = [row["processId"] for row in self.wire.partners.store.processes() if row["code"] == number]
        if not found:
            return "BPM has no such process"
        process = found[-1] if named else ""
        take(number=number, step="start_bpm", process=process, now=timezone.now(), **WHY)
        return ""

    @act
    def send_anew(self, number: str):
        """Whoever asks says that the steps in doubt did nothing; BPM's people, that it has no process."""
        if self.may_start(number):
            return "BPM has its process"
        try:
            judged = resend(Selection(numbers=(number,), anew=True), now=timezone.now(), **WHY).judgements
        except BooksSilentError as error:
            return repr(error)
        return ", ".join(f"{row.order} {row.step}: {row.verdict}" for row in judged)

    def may_start(self, number: str) -> bool:
        """Whether BPM has a process of the order, or may start one yet."""
        late = any(f'"{number}"'.encode() in call.body for _, call in self.wire.stalled if "/bpm/" in call.path)
        return late or any(row["code"] == number for row in self.wire.partners.store.processes())

    def let_go(self) -> None:
        """Part of an act: somebody resumes what is held."""
        for partner in sorted(held_partners()):
            resume_partner(partner=partner, by=WHY["by"], now=timezone.now())
            self.paused.pop(partner, None)

    def copy_notes(self) -> None:
        self.copied = copy.deepcopy(self.noted)

    def restore_notes(self) -> None:
        self.noted = copy.deepcopy(self.copied)
        start_anew()
