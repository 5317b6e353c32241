"""A desk in one process. Each act is a call that can be pasted into a test (test_found.py).

Acts can be chained. If the desk refuses an act, the refusal is the act's result, and nothing changes. Any other error
is a failure of the desk. Each act takes a second.
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
    """A simulated desk with all acts and checks."""

    def __init__(self, clock, wire, complaints):
        Acting.__init__(self, clock, wire, complaints)
        Messages.__init__(self)
        Worker.__init__(self)
        Restoring.__init__(self)
        Doubting.__init__(self)
        self.meddled = False
        self.seen = Seen()

    def rest(self, *, days: bool = False) -> None:
        """Works until the desk is at rest, that is, until nothing is due.

        If records were changed manually, runs the nightly comparison. After a restore, the comparison uses BBOSS's
        list.
        """
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
        """Brings the desk to rest and checks it, in the middle of a sequence."""
        self.rest()
        self.judge()

    @act
    def mend(self, crew: str) -> str:
        """Repairs all faults with staff's commands only (rescue.py). Call it after `check`."""
        return rescue(self, crew)

    @act
    def look(self) -> None:
        """Checks what the orders' pages show and offer. Call it after `check`."""
        lines = list(pages_tell_the_truth(self.stuck() or []))
        if lines:
            raise WrongError("pages", *lines)

    @act
    def check(self) -> None:
        """Brings the desk to rest and checks it. Then lets start days pass and checks it again."""
        self.rest()
        if self.has_days():
            self.judge()
            self.rest(days=True)
        self.judge(stuck=self.stuck())

    def judge(self, stuck: list | None = None) -> None:
        """Checks a desk at rest. With `stuck`, checks that list too. Raises WrongError if the desk breaks a rule."""
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
        """Returns the valid messages by number.

        For a trial that staff entered, this is their content and not BBOSS's.
        """
        return self.contents | self.entered

    def note_books(self) -> None:
        """Stores the partner's records before they may change."""
        self.seen.note(self.wire.partners.store.records())

    def stuck(self) -> list | None:
        """Returns the orders that need somebody, the longest stuck first."""
        return SERVICES["stuck"]() if "stuck" in SERVICES else None

    def lost(self) -> list[str]:
        """Returns an error for each accepted order that is not stored."""
        numbers = {*self.accepted, *self.entered}
        kept = dict(Order.objects.filter(number__in=numbers).values_list("number", "trans_idh"))
        lines = [f"lost: {number}" for number, idh in self.accepted.items() if kept.get(number) != idh]
        return lines + [f"lost: {number}" for number in self.entered if number not in kept]

    # --- checks for found cases

    def stands(self, *, ends=None, services=None, live: str | None = None, stuck=None, **states: str) -> None:
        """Asserts the states of orders by number, and more about T0 and A0.

        `ends` and `services` are those of T0's live records, by domain. `live` are the letters of A0's live domains.
        `stuck` are the numbers that `stuck` names.
        """
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
        """Returns the domains for which the order has a live record at the partner."""
        rows = self.wire.partners.store.records(number)
        return sorted(row["domain"] for row in rows if row["cancelStatus"] == "1")

    def ends_there(self, number: str) -> dict[str, str]:
        """Returns {letter of a domain: last day} of the order's live records at the partner. "" means no end.

        An end after ten years or more counts as no end.
        """
        return {one: " ".join(sorted(map(_last_day, rows))) for one, rows in self._live(number).items()}

    def services_there(self, number: str) -> dict[str, str]:
        """Returns {letter of a domain: productId} of the order's live records at the partner.

        If a domain has two live records, a blank separates the two productIds.
        """
        return {one: " ".join(sorted(row["productId"] for row in rows)) for one, rows in self._live(number).items()}

    def posts(self, number: str) -> list[str]:
        """Returns what the partner did with this number's records: `live ab`, `cancel a`, `delete a`.

        Repeats are included. Calls that were carried out late are left out.
        """
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
        """Returns the codes of the open incidents that name the order."""
        rows = AffectedOrder.objects.filter(order__number=number, closed_at=None).order_by("pk")
        return list(rows.values_list("incident__code", flat=True))

    def names_stuck(self) -> set[str]:
        """Returns the numbers of the orders that `stuck` names."""
        return {row.number for row in self.stuck()}

    def stages(self, number: str) -> dict[str, Stage]:
        """Returns the stages of the order's page by their keys, with English texts."""
        with override("en"):
            stages = build_ladder(
                facts_of(Order.objects.select_related("trial").get(number=number), now=timezone.now())
            )
            return {stage.key: replace(stage, result=str(stage.result), note=str(stage.note)) for stage in stages}

    def offered(self, number: str) -> set[str]:
        """Returns the keys of the decisions that the order's page offers."""
        facts = facts_of(Order.objects.select_related("trial").get(number=number), now=timezone.now())
        return {decision.key for decision in offered_decisions(facts, lambda permission: True)}


def _letter(row: dict) -> str:
    return row["domain"].lower().removesuffix(".example.com")


def _last_day(row: dict) -> str:
    day, created = row["cancelTime"][:8], row["createTime"][:8]
    return "" if int(day[:4]) >= int(created[:4]) + 10 else day
