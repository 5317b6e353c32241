"""A desk in one process, played by plain calls: each act is a part of a test to paste (test_found.py), and acts chain.

An act that the desk refuses says so and changes nothing. Every other error is a find. Each act takes a second.
"""

from collections import defaultdict
from dataclasses import replace

from django.utils import timezone
from django.utils.translation import override

from orders.actions.all_actions import offered_decisions
from orders.models import AffectedOrder, Order
from orders.order_words.ladder.ladder import build_ladder
from orders.order_words.ladder.step_stages import Stage
from orders.order_words.order_facts import facts_of
from tests.model import truth
from tests.model.acts import Acting, WrongError, act
from tests.model.asked import Asking, asked_wrongly
from tests.model.doubts import Doubting
from tests.model.messages import Messages
from tests.model.pages import Buttons, pages_tell_the_truth
from tests.model.partner import DELETE, KINDS_OF_CALLS, POST
from tests.model.rescue import rescue
from tests.model.restoring import Restoring
from tests.model.staff import SERVICES, Staff
from tests.model.stories import Seen
from tests.model.worker import Worker


class Desk(Acting, Messages, Worker, Staff, Restoring, Buttons, Asking, Doubting):
    """All acts, and the judgement."""

    def __init__(self, clock, wire, complaints):
        Acting.__init__(self, clock, wire, complaints)
        Messages.__init__(self)
        Worker.__init__(self)
        Restoring.__init__(self)
        Doubting.__init__(self)
        self.meddled = False
        self.seen = Seen()

    def rest(self, *, days: bool = False) -> None:
        """Lets all become quiet. If somebody changed the partner's books by hand, the nightly comparison runs;
        after a restore one with BBOSS's list."""
        self.dies_at = 0
        if self.restores:
            self.recover()
        self.calm(days=days)
        if self.meddled:
            self.reconcile(listed=" ".join(self.contents) if self.restores else None)
            self.meddled = False
            self.calm(days=days)

    @act
    def judged(self) -> None:
        """Lets all become quiet in the middle of a story, and judges."""
        self.rest()
        self.judge()

    @act
    def mend(self, crew: str) -> str:
        """After a check: staff end everything that is left, with commands only (rescue.py)."""
        return rescue(self, crew)

    @act
    def look(self) -> None:
        """After a check: judges what the orders' pages show and offer."""
        lines = list(pages_tell_the_truth(self.stuck() or []))
        if lines:
            raise WrongError("pages", *lines)

    @act
    def check(self) -> None:
        """Lets all become quiet, then judges; and once more when the start days have come."""
        self.rest()
        if self.has_days():
            self.judge()
            self.rest(days=True)
        self.judge(stuck=self.stuck())

    def judge(self, stuck: list | None = None) -> None:
        """Judges a desk at rest, and the output of `stuck` if given. Raises WrongError."""
        told = {
            "contents": self.said(),
            "seen": self.seen.books,
            "loose": bool(self.restores or getattr(self.wire, "reused", 0)),
        }
        wrong = truth.all_wrong(self.wire.partners.store, stuck, **told)
        lines = [*self.lost(), *wrong, *asked_wrongly(), *self.proofs_wrong(), *self.complaints.lines]
        if lines:
            raise WrongError(lines[0].partition(":")[0], *lines)

    def said(self) -> dict[str, dict]:
        """The messages that count, by number: what staff entered by hand stands, whatever BBOSS sends later."""
        return self.contents | self.entered

    def note_books(self) -> None:
        """Keeps the partner's records as they are, before they may change."""
        self.seen.note(self.wire.partners.store.records())

    def stuck(self) -> list | None:
        """What needs somebody, the longest stuck first."""
        return SERVICES["stuck"]() if "stuck" in SERVICES else None

    def lost(self) -> list[str]:
        """Accepted means kept."""
        numbers = {*self.accepted, *self.entered}
        kept = dict(Order.objects.filter(number__in=numbers).values_list("number", "trans_idh"))
        lines = [f"lost: {number}" for number, idh in self.accepted.items() if kept.get(number) != idh]
        return lines + [f"lost: {number}" for number in self.entered if number not in kept]

    # --- looking, for found cases

    def stands(self, *, ends=None, services=None, live: str | None = None, stuck=None, **states: str) -> None:
        """Asserts these states by number, the ends and services of T0's live records (two dicts), of which domains
        (letters) A0 has live ones, and the numbers `stuck` names."""
        found = {number: self.state(number) for number in states}
        assert found == states, f"states: {found}"
        for name, look, expected in (("ends", self.ends_there, ends), ("services", self.services_there, services)):
            assert expected is None or look("T0") == expected, f"{name}: {look('T0')}"
        billed = self.live_there("A0")
        assert live is None or billed == [f"{letter}.example.com" for letter in live], f"live: {billed}"
        assert stuck is None or self.names_stuck() == set(stuck), f"stuck: {self.names_stuck()}"

    def state(self, number: str) -> str:
        return Order.objects.get(number=number).state

    def live_there(self, number: str) -> list[str]:
        """The domains of which the partner holds a live record."""
        rows = self.wire.partners.store.records(number)
        return sorted(row["domain"] for row in rows if row["cancelStatus"] == "1")

    def ends_there(self, number: str) -> dict[str, str]:
        """{letter of a domain: last day} of the partner's live records; the day is "" for ten years and more."""
        return {one: " ".join(sorted(map(_last_day, rows))) for one, rows in self._live(number).items()}

    def services_there(self, number: str) -> dict[str, str]:
        """{letter of a domain: productId} of the partner's live records; two are parted by a blank."""
        return {one: " ".join(sorted(row["productId"] for row in rows)) for one, rows in self._live(number).items()}

    def posts(self, number: str) -> list[str]:
        """What the partner has carried out about this number's records, repeats too: `live ab`, `cancel a`, `delete a`.
        What landed late is not among it."""
        told = []
        for call in self.wire.partners.store.calls(order=number):
            acted = call["fault"] == "reset_after" or (call["answer"] or {}).get("code") == 200
            if acted and call["path"] in {POST, DELETE}:
                entries = [row for row in call["body"]["productInfos"] if row["jobId"] == number]
                kind = KINDS_OF_CALLS.get(entries[0].get("cancelStatus"), "delete")
                told.append(f"{kind} {''.join(map(_letter, entries))}")
        return told

    def _live(self, number: str) -> dict[str, list[dict]]:
        found = defaultdict(list)
        for row in self.wire.partners.store.records(number):
            if row["cancelStatus"] == "1":
                found[_letter(row)].append(row)
        return found

    def troubles(self, number: str) -> list[str]:
        """The codes of the incidents that name the order now."""
        rows = AffectedOrder.objects.filter(order__number=number, closed_at=None).order_by("pk")
        return list(rows.values_list("incident__code", flat=True))

    def names_stuck(self) -> set[str]:
        """The numbers that `stuck` names."""
        return {row.number for row in self.stuck()}

    def stages(self, number: str) -> dict[str, Stage]:
        """What the order's page shows, by the stage's key; its texts are in English."""
        with override("en"):
            stages = build_ladder(
                facts_of(Order.objects.select_related("trial").get(number=number), now=timezone.now())
            )
            return {stage.key: replace(stage, result=str(stage.result), note=str(stage.note)) for stage in stages}

    def offered(self, number: str) -> set[str]:
        """The keys of the decisions that the order's page offers."""
        facts = facts_of(Order.objects.select_related("trial").get(number=number), now=timezone.now())
        return {decision.key for decision in offered_decisions(facts, lambda permission: True)}


def _letter(row: dict) -> str:
    return row["domain"].lower().removesuffix(".example.com")


def _last_day(row: dict) -> str:
    day, created = row["cancelTime"][:8], row["createTime"][:8]
    return "" if int(day[:4]) >= int(created[:4]) + 10 else day
