"""The notes of a step: their names in the code, and the keys under which they are stored."""

import datetime

import pytest

from orders.models import Dispatch, notes_of, question_about
from orders.models.step_notes import CARRIED_IN

KEYS = {
    "rest": "rest",
    "sent_again": "again",
    "left_out": "but",
    "sent_end": "end",
    "to_shape": "to_shape",
    "puts_back": "put_back",
    "from_look": "looked",
    "posted": "posted",
    "settled": "settled",
    "is_accepted": "accepted",
    "fixes": "fixes",
    "named": "named",
    "meant": "meant",
    "sent": "sent",
    "asked_job": "job",
    "is_last": "last",
    "seen_there": "there",
    "asking": "asking",
    "differs": "differs",
    "findings": "findings",
    "sent_with": "sent_with",
    "resent_event": "resent",
    "start_asked_event": "start_asked",
}
NOON = datetime.datetime(2026, 12, 1, 4, tzinfo=datetime.UTC)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", [True, 7, [], "", {"a": [1]}])
def test_a_note_stands_where_the_version_before_finds_it(name, value):
    row = Dispatch(step="cancel_billing", about={"planned": 1}, **{name: value})
    assert (getattr(row, name), row.about) == (value, {"planned": 1, KEYS[name]: value})
    setattr(row, name, None)
    assert (getattr(row, name), row.about) == (None, {"planned": 1})


def test_what_is_not_so_is_not_noted():
    row = Dispatch(step="move_start_billing", asking=True, differs=False)
    row.asking = False
    assert row.about == {}


def test_moments_stand_as_texts():
    row = Dispatch(step="move_start_billing", new_start=None, call_until=NOON)
    assert (row.about, row.new_start, row.call_until) == ({"until": "2026-12-01T04:00:00+00:00"}, None, NOON)


def test_a_question_names_the_step_that_it_asks_about():
    row = Dispatch(step="ask_billing", is_last=True, **question_about("look", 5, job="T1"))
    assert (row.question, row.asked_step, row.asked_job, row.is_last) == ("look", 5, "T1", True)
    assert row.about == {"look": 5, "job": "T1", "last": True}
    assert Dispatch(step="verify_deleted").question is None


def test_two_steps_with_the_same_notes_do_not_share_them():
    row = Dispatch(step="ask_billing", **question_about("for", 5, job="T1"))
    again = Dispatch(step="ask_billing", **notes_of(row, but={"job"}))
    again.is_last = True
    assert (row.about, again.about) == ({"for": 5, "job": "T1"}, {"for": 5, "last": True})


def test_a_fix_carries_its_own_list_and_every_other_step_records():
    found = {step: Dispatch(step=step).carried_in for step in Dispatch.Step}
    assert {step: name for step, name in found.items() if name != "records"} == CARRIED_IN
