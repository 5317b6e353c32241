"""Looks after calls on a trial's records that a late call may undo (contract 3.9, Unknown).

A call without an answer may act for ten minutes, whatever its repeat was answered. If one about a trial's records is as
young as that, the big-data side is asked at once and when the call can no longer act: after an undoing, a change, the
cancel of an activation. What is not as meant by then is sent again, once for each look.
"""

import datetime
from collections.abc import Iterable

from django.db.models import DateTimeField

from orders.books import HeldRecord
from orders.db.compiled_sql import Prepared, Slot, update_rows
from orders.db.expressions import OneOf
from orders.models import Dispatch, Order
from orders.services.compensation.plan import LOOK_AGAIN, line_may_still_act, put_right
from orders.services.outbox.enqueue import build_questions, enqueue
from orders.services.outbox.freeze import work_out
from orders.services.outbox.release import NOT_FINISHED
from orders.services.reconciliation.held_records import TAKEN, by_identity, identity, take_record
from orders.services.reconciliation.meant import note_not_meant
from orders.steps import FIXES, Step

State, Kind = Dispatch.State, Order.Kind
UNANSWERED = Prepared(
    lambda: (
        Dispatch.objects.filter(OneOf("lane", "lanes"), unanswered_at__gt=Slot("since", DateTimeField()))
        .order_by()
        .values_list("lane")
    )
)
LOOKED = "looked"  # in `about` of a step that a look has planned


def look_after(rows: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Plans the looks after steps that are done, where they are needed (their orders and trials locked)."""
    rows = [row for row in rows if _overwrites(row) and LOOKED not in row.about]
    unanswered = set(UNANSWERED(lanes=[row.lane for row in rows], since=now - LOOK_AGAIN)) if rows else ()
    for row in rows:
        until = line_may_still_act(row, now) if row.lane in unanswered else None
        if until is None or _goes_on(row):
            continue
        trial = row.order.trial or row.order
        questions = build_questions(row, about={"look": row.pk, "job": trial.number}, again=until, now=now)
        for question in questions:
            question.blocking = row.undo
        enqueue(questions)


def _overwrites(row: Dispatch) -> bool:
    """Whether a step overwrites what others did to a trial's records: an undoing, a change, an activation's cancel."""
    if row.lane is None or row.repeat or row.step in FIXES or row.step == Step.ASK_BILLING:
        return False
    of_activation = row.order.kind == Kind.ACTIVATION and row.step == Step.CANCEL_TRIAL
    return row.undo or row.order.kind == Kind.CHANGE or of_activation


def _goes_on(row: Dispatch) -> bool:
    """Whether another such step of its order comes behind it; the look comes after the last of them."""
    later = Dispatch.objects.current().filter(order=row.order_id, lane=row.lane, undo=row.undo, state__in=NOT_FINISHED)
    return any(_overwrites(other) for other in later.exclude(pk=row.pk).select_related("order"))


def answer_look(row: Dispatch, held: list[HeldRecord], *, now: datetime.datetime, by: str) -> None:
    """Takes the answer to a look (order and trial locked). What is not as meant is sent again."""
    order, trial = row.order, row.order.trial or row.order
    looks = Dispatch.objects.current().filter(order=order, step=Step.ASK_BILLING, about__look=row.about["look"])
    looks.filter(state=State.FAILED).update(superseded=True)
    there = by_identity(held)
    records = [record for record in trial.billing_records.all() if record.state != record.State.TO_SEND]
    for record in records:
        take_record(record, there.get(identity(record, trial)))
    update_rows(records, TAKEN)
    if order.undo_since and not row.undo:
        return  # the undoing has looks of its own
    steps = put_right(order, now, **{LOOKED: True})
    for step in steps:
        step.position, step.undo, step.blocking = row.position, row.undo, row.blocking
        step.place = row.place or row.pk
    wrong = [step for step in steps if work_out(step, now=now)[1]]
    if wrong:
        enqueue(wrong, random_keys=True)
    elif order.trial:
        note_not_meant(trial, now=now, by=by, opens=False)
