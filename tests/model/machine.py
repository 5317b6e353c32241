"""The state machine. Hypothesis selects the acts and shrinks failing sequences.

Hypothesis can't weight its rules, and it switches off half of them in each sequence. So the machine has a single rule,
which selects from the table in `rules.py`.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.harness import Stage
from tests.model.rescue import CREWS
from tests.model.rules import BOTH, END, LETTERS, RULES, Acts

ENDINGS = st.sampled_from(["", "", "look", *CREWS])
# With `zero`, the default profile reads BPM's success as a refusal. This does damage unless answers must be proven, so
# `begin` removes `zero` if answers are trusted.
PARTNERS = st.sets(st.sampled_from(["strict", "stubborn", "forgetful", "zero"]), max_size=2)
ANSWERS = st.sampled_from(["trust", "prove", "prove"])
LENGTHS = st.sampled_from([40, 30, 20, 12])  # numbers of acts; short sequences take little time and find many errors


class Model(Acts, RuleBasedStateMachine):
    """Plays a sequence: acts in any order, then a check, then repairs by staff."""

    stage: Stage

    def __init__(self):
        super().__init__()
        self.scene = self.stage.play()
        self.desk = self.scene.__enter__()
        self.crew, self.left = "", 0

    @initialize(crew=ENDINGS, acts=LENGTHS, domains=LETTERS, end=END, quick=BOTH, partners=PARTNERS, answers=ANSWERS)
    def begin(self, crew, acts, domains, end, quick, partners, answers):
        """Prepares the sequence. Sends a trial first, because most acts need a trial."""
        self.crew, self.left = crew, acts
        if answers != "trust":
            self.desk.setting(answers=answers)
        if partners:
            self.desk.partner(**dict.fromkeys(partners - {"zero"} if answers == "trust" else partners, True))
        self.desk.trial("T0", domains, end=end)
        if quick:
            self.desk.deliver()

    @rule(data=st.data())
    def step(self, data):
        if self.left <= 0:
            return
        self.left -= 1
        possible = [one for one in RULES if one.when(self)]
        place = data.draw(st.integers(0, sum(one.weight for one in possible) - 1))
        for one in possible:
            place -= one.weight
            if place < 0:
                return one.act(self, **{name: data.draw(strategy) for name, strategy in one.drawn.items()})

    def teardown(self):
        try:
            self.desk.check()
            if self.crew == "look":
                self.desk.look()
            elif self.crew:
                self.desk.mend(self.crew)
        finally:
            self.scene.__exit__(None, None, None)
