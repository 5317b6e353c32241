"""The notes of a step besides its other columns, by their names.

They are keys of the JSON column `about`, which nothing else reads or writes. Few steps have any: a column for each
would make every step's row, and so each order and each call, a tenth dearer (docs/decisions.md).
"""

import datetime
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from orders.rules.steps import Step

OF_START = ("move", "start_of")  # questions what start an order's records have (contract 3.9, 18)
QUESTIONS = (*OF_START, "look", "for")  # behind a late call, or about a step that was given up
OF_ITS_ATTEMPT = {"settled", "accepted", "again", "but", "end", "looked", "rest"}  # a replacement has its own
OF_ITS_CALL = {"again", "sent"}  # the next part of a step has its own
CARRIED_IN = {Step.FIX_CREATE: "fixes", Step.FIX_DELETE: "named", Step.MOVE_ATTRIBUTION: "fixes"}
NOTES = ["about"]  # the columns with notes, for `update_fields` and `only`
IS_LAST, PUTS_BACK, ASKS_START = Q(about__last=True), Q(about__put_back=True), Q(about__has_any_keys=OF_START)
ONLY_LAST = {"about": {"last": True}}  # for `update`: the note `is_last`, and no other


def asks_about(question: str | None, step: int) -> Q:
    return Q(**{f"about__{question}": step}) if question else Q()  # a look of another kind names no step


def question_about(question: str, step: int, *, job: str) -> dict[str, Any]:
    """Returns the fields of a step that asks about another. `job`: number of the order whose records it asks for."""
    return {"about": {question: step, "job": job}}


def notes_of(row: "Notes", *, but: Collection[str] = ()) -> dict[str, Any]:
    """Returns the fields of a step with the notes of another, without those under the keys `but`."""
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
    """The notes of a step; one that is not there is None, and neither None nor False is kept."""

    # Of any billing step
    rest = _note_property(
        "rest"
    )  # what further parts carry, since a call takes only so many records; empty for the last one
    sent_again = _note_property("again")  # bool: a refused cancel, sent once more for what is live
    left_out = _note_property("but")  # ids of records that it leaves as they are
    sent_end = _note_property("end")  # the last day that its records get; empty for none
    to_shape = _note_property("to_shape")  # bool: its records follow from what the trial is meant to be
    puts_back = _note_property("put_back")  # bool: it puts back what a change did that staff gave up in part
    from_look = _note_property("looked")  # bool: a look has planned it
    posted = _note_property("posted")  # bool: what it deletes is posted as cancelled, since the partner has no delete
    settled = _note_property("settled")  # bool: it was given up, and its records are as the partner holds them
    is_accepted = _note_property("accepted")  # bool: staff accepted what a settled one leaves billed
    # Of a fix
    fixes = _note_property("fixes")  # ids of the records that it sends
    named = _note_property("named")  # the records that it deletes, as the partner names them
    meant = _note_property("meant")  # those of `fixes` that it sends as they are meant
    sent = _note_property("sent")  # what it has sent: {id: [state, createTime, cancelTime, cancelled at]}
    # Of questions and looks
    asked_job = _note_property("job")  # the number of the order whose records a question asks for
    is_last = _note_property("last")  # bool: no later one comes
    seen_there = _note_property("there")  # bool: a person has seen its records there
    # Of a move of a start
    asking = _note_property("asking")  # bool: the big-data side has yet to be asked for its outcome
    differs = _note_property("differs")  # bool: its records disagree, or those of the move that it replaces
    new_start = _time_property("start")  # to which it leads; None: its T
    call_until = _time_property("until")  # when its last call must have ended
    # Of a check of files
    findings = _note_property("findings")  # what it found, {file, code, message, why} of each file
    # Of a BPM start
    sent_with = _note_property("sent_with")  # the facts with which its process was started
    resent_event = _note_property("resent")  # id of the event of a person's resend
    # Of a start day's cancel: id of the last event before the restore after which its start was asked for
    start_asked_event = _note_property("start_asked")
    # Of any: what it asks (one of QUESTIONS), about which step, and the column with what it carries to the partner
    question = property(lambda row: next(iter(row.about.keys() & QUESTIONS), None))
    asked_step = property(lambda row: row.about.get(row.question))
    carried_in = property(lambda row: CARRIED_IN.get(row.step, "records"))
