"""Every state has a tone, and its chip shows what is true."""

import datetime

import pytest
from django.contrib import admin
from django.utils import timezone
from django.utils.html import escape

from orders.admin.pause import PauseAdmin
from orders.lists.chips import TONES, chip, chip_of
from orders.lists.registration import LISTS
from orders.models import BillingRecord, Dispatch, Order, Pause, TimeLimit
from orders.texts.state_meanings import MEANINGS, meaning_of
from project.accounts.enable_account import log_in_chip
from project.models import User

NAMES = ["State", "Outcome", "Result"]
# its state is the state of an order or message that the limit is for; the limit itself has no state
OF_OTHER_ROWS = {TimeLimit}
WORDS = list(
    dict.fromkeys(
        getattr(model, name) for model in LISTS if model not in OF_OTHER_ROWS for name in NAMES if hasattr(model, name)
    )
)


def test_of_words_with_meanings_each_has_one():
    """Each word of an enumeration that has meanings has one, also the words of kinds and reasons, which have no
    tone.
    """
    lacking = {words: {word.name for word in words if word and word not in said} for words, said in MEANINGS.items()}
    assert {words.__qualname__: names for words, names in lacking.items() if names} == {}


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__qualname__)
def test_the_chip_of_every_state_has_one_of_six_tones_and_says_what_it_means(words):
    """Each state needs a sentence that says what it means, because no state is clear from its word alone."""
    assert {TONES[word] for word in words} <= {"grey", "blue", "violet", "amber", "red", "green"}
    assert [word.name for word in words if not meaning_of(word)] == []
    assert all(f'title="{escape(meaning_of(word))}"' in chip(word) for word in words)


def test_a_chip_is_a_word_and_says_what_it_means():
    words = MEANINGS[Order.State][Order.State.FAILED]
    assert chip(Order.State.FAILED) == f'<span class="chip chip-red" title="{words}">{Order.State.FAILED.label}</span>'


def test_chips_of_accounts_and_pauses_say_what_they_mean():
    away = {"is_staff": True, "away_until": datetime.date(2999, 1, 1)}
    users = [User(is_active=False), User(is_staff=False), User(**away), User(is_staff=True)]
    now, hour = timezone.now(), datetime.timedelta(hours=1)
    pauses = [Pause(partner="bpm", since=now - 2 * hour, resumed_at=ended) for ended in (None, now - hour)]
    chips = [*map(log_in_chip, users), *map(PauseAdmin(Pause, admin.site).pause_chip, pauses)]
    assert [told for told in chips if ' title="' not in told] == []


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
    """A record that begins later is not yet billed. A mail counts as sent, and a check of files that is tried again as
    waiting for the files.
    """
    assert f">{word}<" in chip_of(row)
