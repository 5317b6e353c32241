"""The players. Each player selects the model's rules at random, and has separate orders on a shared desk."""

import random

from hypothesis import strategies as st
from hypothesis.control import BuildContext
from hypothesis.internal.conjecture.data import ConjectureData

from integrations.sandbox.partners import PATHS
from tests.interleave.desk import SharedDesk
from tests.model.rules import BAD, END, LETTERS, RULES, TROUBLED, Acts, Rule

# Acts that concern the whole desk. The more players there are, the less often a player selects one of these acts.
SHARED = {
    "deliver", "deliver_badly", "deliver_one_by_one", "next_moment", "wait", "days", "sweep", "claim", "call", "land",
    "die", "stalled", "resend_failed", "reconcile", "reconcile_list", "fetch_usage", "billing_setting",
    "retry_setting", "judged", "pause", "resume", "let_on",
}  # fmt: skip
# Acts that are not possible here. The model copies its database by a savepoint of its own process.
# `make restore-drill` tests real restores. Only the model's wire can refuse single records.
NOT_HERE = {"copy", "restore", "word", "send_missing", "refuses", "profile"}


class Player(Acts):
    """Plays one interleaving. `mark` is the end of the player's order numbers. `among` is the number of players."""

    def __init__(self, desk: SharedDesk, chance: random.Random, mark: str, among: int):
        self.desk, self.chance, self.mark, self.among = desk, chance, mark, among

    def begin(self) -> None:
        """Sends a trial, because most acts need a trial. May also deliver it."""
        self.desk.trial(f"T0{self.mark}", self.draw(LETTERS), end=self.draw(END))
        if self.chance.random() < 0.5:
            self.desk.deliver()

    def step(self) -> None:
        """Carries out one act that is possible now, selected at random."""
        possible = [one for one in (*RULES, *RULES_HERE) if one.act.__name__ not in NOT_HERE and one.when(self)]
        weights = [one.weight / (self.among if one.act.__name__ in SHARED else 1) for one in possible]
        (one,) = self.chance.choices(possible, weights)
        one.act(self, **{name: self.draw(strategy) for name, strategy in one.drawn.items()})

    def draw(self, strategy):
        """Returns a value of a Hypothesis strategy. The player's random generator selects the value."""
        data = ConjectureData(random=self.chance)
        with BuildContext(data, is_final=False, wrapped_test=None):
            return data.draw(strategy)

    # --- selecting an order

    def next_number(self, letter: str) -> str:
        return f"{super().next_number(letter)}{self.mark}"

    def own(self, letter: str) -> list[str]:
        return [number for number in super().own(letter) if number.endswith(self.mark)]

    def trial_of(self, pick: int) -> str:
        return super().trial_of(pick) + self.mark

    def some(self, pick: int, letters: str) -> str:
        own = [one for one in reversed(self.desk.contents) if one[0] in letters and one.endswith(self.mark)]
        return own[pick % len(own)] if own else f"{letters[0]}9{self.mark}"

    def troubled(self, pick: int, letters: str) -> str:
        named = [one for one in dict.fromkeys(TROUBLED()) if one[0] in letters and one.endswith(self.mark)]
        return named[pick % len(named)] if named and pick < 7 else self.some(pick, letters)

    # --- acts that only a desk of processes has

    def deliver_meanwhile(self, drains):
        self.desk.deliver_meanwhile(drains)

    def fault(self, fate, path, count):
        self.desk.fault(fate, path, count)


def always(player: Player) -> bool:
    return True


RULES_HERE = [
    Rule(Player.deliver_meanwhile, 14, always, {"drains": st.sampled_from([1, 1, 2])}),
    Rule(
        Player.fault,
        8,
        always,
        {"fate": BAD, "path": st.sampled_from(["*", "mail", *PATHS]), "count": st.integers(1, 3)},
    ),
]
