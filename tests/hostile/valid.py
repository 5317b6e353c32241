"""The valid requests from which mutations start: contents of each kind, approvals, and the orders that both name."""

import copy
import datetime
import random

from tests import bpm_messages
from tests.factories import OrderFactory, TrialFactory
from tests.flows import contents

NOW = datetime.datetime(2023, 9, 20, 18, 54, 36, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
TRIAL, ACTIVATION = "100T1", "100A1"  # these orders are in the database before each input
TRIAL_CONTENT = contents.trial("100T2", "a.example.com", "b.example.com", BizEnd="20231220", Attribution="BJ")
FILES = {"InfoSecurity": "100A2_50004020027_20230920185436.xlsx", "InfoSecurityTable": "", "BusiInfo": ""}
CONTENTS = {
    "trial": TRIAL_CONTENT,
    "change": contents.change("100C2", "c.example.com", of=TRIAL, BusinessType="4", DataFlow="2", BizEnd="20231230"),
    "activation": contents.activation("100A2", "d.example.com", of=TRIAL, start="20230930", **FILES),
    "withdrawal": contents.withdrawal(ACTIVATION),
}
APPROVALS = {
    result + (" finished" if finished else ""): bpm_messages.approval(ACTIVATION, result=result, finished=finished)
    for result, finished in (("pass", False), ("pass", True), ("reject", True), ("return", False))
}


def now() -> datetime.datetime:
    """Returns the time of the clock in all runs."""
    return NOW


def content(chance: random.Random) -> tuple[str, dict]:
    """Returns a random kind and a new content of this kind."""
    return _one_of(CONTENTS, chance)


def approval(chance: random.Random) -> tuple[str, dict]:
    """Returns a random kind and a new approval of this kind."""
    return _one_of(APPROVALS, chance)


def make_orders() -> None:
    """Creates the trial and the activation that the messages name."""
    trial = TrialFactory(number=TRIAL, planned_at=NOW)
    OrderFactory(number=ACTIVATION, trial=trial, trial_number=TRIAL)


def _one_of(kinds: dict[str, dict], chance: random.Random) -> tuple[str, dict]:
    kind = chance.choice(list(kinds))
    return kind, copy.deepcopy(kinds[kind])
