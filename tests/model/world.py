"""A desk in one process, played by plain calls: each act is a line of a test to paste (test_found.py).

An act that the desk refuses says so and changes nothing. Every other error is a find. Each act takes a second.
"""

from orders.models import AffectedOrder, Order
from tests.model import truth
from tests.model.acts import Acting, WrongError, act
from tests.model.messages import Messages
from tests.model.pages import Buttons, pages_tell_the_truth
from tests.model.rescue import rescue
from tests.model.restoring import Restoring
from tests.model.staff import SERVICES, Staff
from tests.model.stories import Seen
from tests.model.worker import Worker


class Desk(Acting, Messages, Worker, Staff, Restoring, Buttons):
    """All acts, and the judgement."""

    def __init__(self, clock, wire, complaints):
        Acting.__init__(self, clock, wire, complaints)
        Messages.__init__(self)
        Worker.__init__(self)
        Restoring.__init__(self)
        self.meddled = False
        self.seen = Seen()

    def rest(self, *, days: bool = False) -> None:
        """Lets all become quiet. If somebody changed the partner's books by hand, the nightly comparison runs;
        after a restore one with BBOSS's list."""
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
        lines = [*self.lost(), *wrong, *self.complaints.lines]
        if lines:
            raise WrongError(lines[0].partition(":")[0], *lines)

    def said(self) -> dict[str, dict]:
        """The messages that count, by number: what staff entered by hand stands, whatever BBOSS sends later."""
        return self.contents | getattr(self, "entered", {})

    def note_books(self) -> None:
        """Keeps the partner's records as they are, before they may change."""
        self.seen.note(self.wire.partners.store.records())

    def stuck(self) -> list | None:
        """What needs somebody, the longest stuck first."""
        return SERVICES["stuck"]() if "stuck" in SERVICES else None

    def lost(self) -> list[str]:
        """Accepted means kept."""
        kept = dict(Order.objects.filter(number__in=self.accepted).values_list("number", "trans_idh"))
        return [f"lost: {number}" for number, idh in self.accepted.items() if kept.get(number) != idh]

    # --- looking, for found cases

    def state(self, number: str) -> str:
        return Order.objects.get(number=number).state

    def live_there(self, number: str) -> list[str]:
        """The domains of which the partner holds a live record."""
        rows = self.wire.partners.store.records(number)
        return sorted(row["domain"] for row in rows if row["cancelStatus"] == "1")

    def troubles(self, number: str) -> list[str]:
        """The codes of the incidents that name the order now."""
        rows = AffectedOrder.objects.filter(order__number=number, closed_at=None).order_by("pk")
        return list(rows.values_list("incident__code", flat=True))
