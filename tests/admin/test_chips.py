"""Every state has a tone; what a chip says is so."""

import datetime

import pytest
from django.utils import timezone

from orders.lists.chips import TONES, chip, chip_of
from orders.lists.registration import LISTS
from orders.models import BillingRecord, Dispatch, Order

NAMES = ["State", "Outcome", "Result"]
WORDS = list(dict.fromkeys(getattr(model, name) for model in LISTS for name in NAMES if hasattr(model, name)))


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__qualname__)
def test_every_state_has_one_of_six_tones(words):
    assert {TONES[word] for word in words} <= {"grey", "blue", "violet", "amber", "red", "green"}


def test_a_chip_is_a_word():
    assert chip(Order.State.FAILED) == f'<span class="chip chip-red">{Order.State.FAILED.label}</span>'


@pytest.mark.parametrize(
    "row, word",
    [
        (BillingRecord(state="live", create_time=timezone.now() + datetime.timedelta(days=1)), "尚未生效"),
        (BillingRecord(state="live", create_time=timezone.now()), "已生效"),
        (BillingRecord(state="live"), "已生效"),
        (Dispatch(channel="mail", state="done"), "已发送"),
        (Dispatch(channel="files", state="retrying"), "待补齐"),
        (Dispatch(channel="billing", state="retrying"), "重试中"),
    ],
)
def test_a_chip_says_what_became_of_this_row(row, word):
    """A record that begins later bills nobody yet; a mail is sent; a held file is waited for."""
    assert f">{word}<" in chip_of(row)
