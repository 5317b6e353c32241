"""Every state has a tone."""

import pytest

from approvals.models import ApprovalRecord
from orders.admin.chips import TONES, chip
from orders.models import Attempt, BillingRecord, Difference, Dispatch, Incident, Order

WORDS = [
    Order.State,
    Dispatch.State,
    BillingRecord.State,
    Incident.State,
    Attempt.Outcome,
    Difference.State,
    ApprovalRecord.Result,
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__qualname__)
def test_every_state_has_one_of_six_tones(words):
    assert {TONES[word] for word in words} <= {"grey", "blue", "violet", "amber", "red", "green"}


def test_a_chip_is_a_word():
    assert chip(Order.State.FAILED) == f'<span class="chip chip-red">{Order.State.FAILED.label}</span>'
