"""Rarely used fields of a step ("notes"), as properties over the JSON column `about`.

Nothing else reads or writes this column. Few steps have notes, and a column for each note would make each order and
each call a tenth more expensive (docs/decisions.md).
"""

import datetime
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from orders.rules.steps import Step

OF_START = ("move", "start_of")  # questions about the start of an order's records (contract 3.9, 18)
QUESTIONS = (*OF_START, "look", "for")  # "look": after a late call; "for": about a step that was given up
OF_ITS_ATTEMPT = {"settled", "accepted", "again", "but", "end", "looked", "rest"}  # not copied to a replacement
OF_ITS_CALL = {"again", "sent"}  # not copied to the next part of a step
CARRIED_IN = {Step.FIX_CREATE: "fixes", Step.FIX_DELETE: "named", Step.MOVE_ATTRIBUTION: "fixes"}
NOTES = ["about"]  # the columns with notes, for `update_fields` and `only`
IS_LAST, PUTS_BACK, ASKS_START = Q(about__last=True), Q(about__put_back=True), Q(about__has_any_keys=OF_START)
ONLY_LAST = {"about": {"last": True}}  # for `update`: the note `is_last`, and no other


def asks_about(question: str | None, step: int) -> Q:
    return Q(**{f"about__{question}": step}) if question else Q()  # other look-ups have no step


def question_about(question: str, step: int, *, job: str) -> dict[str, Any]:
    """Returns the fields of a step that queries the outcome of `step`. `job`: the number of the order to be queried."""
    return {"about": {question: step, "job": job}}


def notes_of(row: "Notes", *, but: Collection[str] = ()) -> dict[str, Any]:
    """Returns a copy of a step's notes as fields of a new step, without the keys in `but`."""
    return {"about": {key: value for key, value in row.about.items() if key not in but}}


def _note_property(key: str) -> property:
    return property(lambda row: row.about.get(key), lambda row, value: _write(row, key, value))


def _time_property(key: str) -> property:
    return property(
        lambda row: datetime.datetime.fromisoformat(row.about[key]) if row.about.get(key) else None,
        lambda row, value: _write(row, key, value and value.isoformat()),
    )


def _write(row: "Notes", key: str, value: Any) -> None:
    others = {name: noted for name, noted in row.about.items() if name != key}
    row.about = others if value is None or value is False else others | {key: value}


class Notes:
    """The notes of a step. A missing note reads as None. None and False are not stored."""

    # Of any billing step
    rest = _note_property(
        "rest"
    )  # the records of further parts, since a call takes a limited number; empty for the last part
    sent_again = _note_property("again")  # bool: a refused cancel, sent once more for the live records
    left_out = _note_property("but")  # ids of records that it leaves as they are
    sent_end = _note_property("end")  # the last day that its records get, or empty for no end
    to_shape = _note_property("to_shape")  # bool: its records follow from the trial's shape
    puts_back = _note_property("put_back")  # bool: it reverts a change that staff partly gave up
    from_look = _note_property("looked")  # bool: planned by a look-up
    posted = _note_property("posted")  # bool: deletes by posting records as cancelled, if the partner has no delete
    settled = _note_property("settled")  # bool: given up, and its records are set to the partner's state
    is_accepted = _note_property("accepted")  # bool: staff accepted the billed records that a settled step left
    # For fixes
    fixes = _note_property("fixes")  # ids of the records that it sends
    named = _note_property("named")  # the records that it deletes, with the partner's names
    meant = _note_property("meant")  # the part of `fixes` that it sends in their target state
    sent = _note_property("sent")  # the records sent: {id: [state, createTime, cancelTime, cancelled at]}
    # For questions and look-ups
    asked_job = _note_property("job")  # number of the order whose records are queried
    is_last = _note_property("last")  # bool: no later look-up follows
    seen_there = _note_property("there")  # bool: a person has seen its records at the partner
    # For a move of the start
    asking = _note_property("asking")  # bool: its outcome must still be queried at the big-data side
    differs = _note_property("differs")  # bool: its records, or those of the move that it replaces, disagree
    new_start = _time_property("start")  # the new start; None: its T
    call_until = _time_property("until")  # when its last call must have ended
    # For a check of files
    findings = _note_property("findings")  # the findings, {file, code, message, why} for each file
    # For a BPM start
    sent_with = _note_property("sent_with")  # the facts with which its process was started
    resent_event = _note_property("resent")  # id of the event of a resend by staff
    # For a start day's cancel: id of the last event before the restore after which its start was queried
    start_asked_event = _note_property("start_asked")
    # For all steps: the question (one of QUESTIONS), the step that it is about, and the column with the records to send
    question = property(lambda row: next(iter(row.about.keys() & QUESTIONS), None))
    asked_step = property(lambda row: row.about.get(row.question))
    carried_in = property(lambda row: CARRIED_IN.get(row.step, "records"))
