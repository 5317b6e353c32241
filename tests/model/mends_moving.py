"""The fixes of contract 3.9, rule 18, for `bite`: a patch for each clause. Rule 18 is about moves of a start day."""

import dataclasses
import datetime

from tests.model.mends import Mend, both, put

LONG = datetime.timedelta(days=400)
NOTICED_BY = {
    "18 a 409 is asked about": "a_409_is_asked_about",
    "18 a late call is looked for after an undoing": "after_an_undoing_a_late_move_is_looked_for",
    "18 a move of its own key": "accepted_moves_each_move_day_schedule_and_steps",
    "18 a refused move compensates nothing": "a_refused_move_leaves_the_order_on_its_day",
    "18 a refused move is closed": "a_refused_move_leaves_the_order_on_its_day",
    "18 an undo mark stops what is not begun": "an_undo_mark_stops_a_move_that_is_not_begun",
    "18 all new: accepted": "what_nobody_answered_is_asked_ten_minutes_after_the_last_call",
    "18 all old: refused": "what_nobody_answered_is_asked_ten_minutes_after_the_last_call",
    "18 asked after ten minutes": "what_nobody_answered_is_asked_ten_minutes_after_the_last_call",
    "18 called off": "what_is_not_begun_by_then_is_called_off",
    "18 called off with an incident": "what_is_not_begun_by_then_is_called_off",
    "18 days without service are named": "the_dry_run_names_days_without_service",
    "18 day, schedule and steps move": "accepted_moves_each_move_day_schedule_and_steps",
    "18 not begun while its breaker is open": "what_is_not_begun_by_then_is_called_off",
    "18 no fix": "fix_leaves_an_order_whose_start_is_being_moved",
    "18 no move while a late call may act": "no_move_while_an_unanswered_call_may_still_act",
    "18 no second move, no take": "what_nobody_answered_is_asked_ten_minutes_after_the_last_call",
    "18 not billed yet: without a call": "an_order_that_is_not_billed_yet_is_moved_without_a_call",
    "18 records that disagree are named": "records_that_disagree_are_sent_again_while_both_starts_lie_ahead",
    "18 resend while both lie ahead": "records_that_disagree_are_taken_later_and_the_earliest_is_the_start",
    "18 ten minutes before the earlier start": "the_last_call_ends_ten_minutes_before_the_earlier_start",
    "18 the earliest is the start": "records_that_disagree_are_taken_later_and_the_earliest_is_the_start",
    "18 the start's steps wait": "the_start_days_steps_wait_while_nobody_knows",
    "18 to today: its T": "a_move_to_today_starts_at_its_T",
    "18 today or later": "what_can_not_be_moved_says_why",
    "18 an unanswered call before a refusal": "a_refusal_after_an_unanswered_call_is_asked_about",
    "18 late undoing counts from what may be there": "late_undoing_counts_from_the_start_that_may_be_there",
    "18 late undoing cancels what is known": "a_late_undoing_cancels_with_the_start_that_is_there",
    "18 a reopened order keeps its day": "a_reopened_order_keeps_a_moved_start_day",
}
"""By fix: a test of `tests/flows/test_moving.py` that fails without the fix. `test_` is omitted."""
AFTER_A_RESTORE = "test_restored.py::test_a_start_that_was_moved_after_the_backup_is_asked_for_before_its_cancel"


def moves() -> dict[str, Mend]:
    """Returns the fixes by name. Requires that Django is set up.

    Each name is a clause of rule 18. The comment above the name describes the wrong behaviour without the fix.
    """
    found = {**_of_asking(), **_of_answers(), **_of_what_else()}
    tests = {name: f"test_moving.py::test_{test}" for name, test in NOTICED_BY.items()}
    tests["18 asked after a restore"] = AFTER_A_RESTORE
    return {name: dataclasses.replace(mend, noticed_by=tests[name]) for name, mend in found.items()}


def _of_asking() -> dict[str, Mend]:
    from orders.actions import action_previews
    from orders.outbox import enqueue, record_selection
    from orders.sending import claim, end_moves, record
    from orders.start_day import move_start, move_start_outcomes

    follow_move, why_not_on, build_step = move_start_outcomes.follow_move, move_start.why_not_on, move_start.build_step

    def says_nothing(row, *, now, by):
        if row.state != "closed":
            follow_move(row, now=now, by=by)

    def any_day(order, day, now):
        return None if day < now.date() else why_not_on(order, day, now)

    def midnight_of_today(row):
        return moved_to(row) if row.new_start else row.frozen_at.replace(hour=0, minute=0, second=0)

    moved_to = record_selection.moved_to

    def same_key(order, step, /, **fields):
        row = build_step(order, step, **fields)
        if step == "move_start_billing":
            row.key = enqueue.derived_key(order.number, step, 1)
        return row

    never = put("is_over", lambda move, now: False, move_start, end_moves, record)
    return {
        # A move is sent whenever it is due.
        "18 ten minutes before the earlier start": Mend(both(put("BEFORE_START", -LONG, move_start), never)),
        # A move that was never begun is not ended.
        "18 called off": Mend(put("end_moves", lambda *, now, by="": 0, *_users_of_end_moves())),
        # A move that was never begun is called off without an incident, like a refused move.
        "18 called off with an incident": Mend(put("follow_move", says_nothing, *_users_of_follow_move())),
        # A move is sent without asking whether the partner's breaker is open.
        "18 not begun while its breaker is open": Mend(put("hold_back", lambda rows, *, now, down: rows, claim)),
        # All moves of an order have the same key.
        "18 a move of its own key": Mend(put("build_step", same_key, move_start)),
        # A move to today starts at midnight.
        "18 to today: its T": Mend(
            put("moved_to", midnight_of_today, record_selection, move_start, move_start_outcomes)
        ),
        # Every day is allowed.
        "18 today or later": Mend(put("why_not_on", any_day, move_start, action_previews)),
        # Calls without an answer are ignored.
        "18 no move while a late call may act": Mend(put("late_calls", lambda **about: [], move_start)),
        # A move in progress is ignored.
        "18 no second move, no take": Mend(put("move_of", lambda order: None, move_start, *_users_of_move_of())),
    }


def _users_of_end_moves() -> list:
    from tests.flows import conftest
    from tests.model import worker

    return [worker, conftest]


def _users_of_follow_move() -> list:
    from orders.sending import outcome_effects

    return [outcome_effects]


def _users_of_move_of() -> list:
    from orders.actions import take
    from orders.sending import resend

    return [resend, take]


def _of_answers() -> dict[str, Mend]:
    from orders.actions import take
    from orders.outbox.outcome import ACTED_BEFORE
    from orders.sending import outcome_effects, record
    from orders.start_day import move_start, move_start_outcomes
    from orders.undoing.start import begin_undo

    def stays_failed(row):
        row.definite = False

    def closes_all(row):
        row.state, row.next_try_at = "closed", None

    def closes_what_was_acted_on_before(row):
        closes_all(row) if row.error_code == ACTED_BEFORE else settle_move(row)

    def compensates(row, *, now, by):
        follow_move(row, now=now, by=by)
        if row.state == "closed" and row.attempts:
            begin_undo(row.order, ending="failed", why="refused", by=by, now=now)

    settle_move, follow_move = move_start_outcomes.settle_move, move_start_outcomes.follow_move

    def moves_the_day_alone(order, start, *, now, by):
        order.start_at = start
        order.save(update_fields=["start_at"])
        move_start.add_event(order, "start_moved", by=by, now=now, old=None, new=start.isoformat())

    def never_new(move):
        return move_start.datetime.datetime.max.replace(tzinfo=datetime.UTC)

    answer_move = move_start_outcomes.answer_move

    def names_nothing(row, held, *, now, by):
        answer_move(row, held, now=now, by=by)
        move_start.close_troubles(row.order, code=move_start.MOVE_FAILED, now=now, by=by)

    def keeps_asking(row, held, *, now, by):
        if {one.create_time for one in held} != {row.order.start_at}:
            answer_move(row, held, now=now, by=by)

    return {
        # A refused move stays failed, so the partner is queried.
        "18 a refused move is closed": Mend(put("settle_move", stays_failed, record)),
        # A refused move starts an undoing, like a refused creation.
        "18 a refused move compensates nothing": Mend(put("follow_move", compensates, outcome_effects)),
        # 409 counts as a refusal.
        "18 a 409 is asked about": Mend(put("settle_move", closes_what_was_acted_on_before, record)),
        # Every refusal counts as "did nothing".
        "18 an unanswered call before a refusal": Mend(put("settle_move", closes_all, record)),
        # Schedule and waiting steps are not moved.
        "18 day, schedule and steps move": Mend(
            put("move_start_to", moves_the_day_alone, move_start, move_start_outcomes, take)
        ),
        # The partner is queried at once.
        "18 asked after ten minutes": Mend(put("late_calls", lambda **about: [], move_start_outcomes)),
        # The records' start never counts as the new start.
        "18 all new: accepted": Mend(put("moved_to", never_new, move_start_outcomes)),
        # If the look-up shows that nothing was done, the result is ignored.
        "18 all old: refused": Mend(put("ANSWERS", outcome_effects.ANSWERS | {"move": keeps_asking}, outcome_effects)),
        # The incident ends with the look-up.
        "18 records that disagree are named": Mend(
            put("ANSWERS", outcome_effects.ANSWERS | {"move": names_nothing}, outcome_effects)
        ),
        # A move may always be resent.
        "18 resend while both lie ahead": Mend(put("MIN_LEAD", -LONG, move_start)),
        # The latest start of the records counts as the order's start.
        "18 the earliest is the start": Mend(put("earliest", max, move_start_outcomes)),
    }


def _of_what_else() -> dict[str, Mend]:
    from orders.actions import action_previews
    from orders.books import fixes
    from orders.bpm import received_decisions
    from orders.replanning import withdrawal
    from orders.rules.steps import Step
    from orders.sending import claim
    from orders.start_day import move_start, move_start_outcomes
    from orders.undoing import late, start, undo_steps

    build_move = move_start._build_move

    def behind_all(order, day, now):
        row = build_move(order, day, now)
        row.position = move_start.BEHIND_PLAN
        return row

    def not_late_while_unknown(order, now):
        moved = order.dispatches.filter(step=Step.MOVE_START, state="failed").exists()
        return not moved and is_late(order, now)

    move_start_to, is_late = move_start.move_start_to, late.is_late

    def keeps_its_first_day(order, start, *, now, by):
        day = order.biz_start
        move_start_to(order, start, now=now, by=by)
        order.biz_start = day
        order.save(update_fields=["biz_start"])

    def leaves_moves(order):
        kept = list(order.dispatches.current().filter(step=Step.MOVE_START, state="due", attempts=0))
        closed = close_never_begun(order)
        for row in kept:
            row.save(update_fields=["state", "next_try_at"])
        return closed - len(kept)

    def but_for_moves(ask):
        return lambda **about: [row for row in ask(**about) if row.step != Step.MOVE_START]

    def without_end(trial):
        return dataclasses.replace(shape_of(trial), end=None)

    close_never_begun, shape_of, acts_of = start.close_never_begun, action_previews.shape_of, undo_steps.acts_of

    return {
        # The move stays due, but nobody may claim it.
        "18 an undo mark stops what is not begun": Mend(put("close_never_begun", leaves_moves, start, withdrawal)),
        # A move in progress does not prevent a fix.
        "18 no fix": Mend(
            both(
                *(put(name, but_for_moves(getattr(fixes, name)), fixes) for name in ("OF_ORDERS", "IN_LINES_OF_OTHERS"))
            )
        ),
        # The days without service are not named.
        "18 days without service are named": Mend(put("shape_of", without_end, action_previews)),
        # An undoing does not look for late calls of moves.
        "18 a late call is looked for after an undoing": Mend(
            both(
                put("late_calls", but_for_moves(undo_steps.late_calls), undo_steps),
                put(
                    "acts_of", lambda order: [row for row in acts_of(order) if row.step != Step.MOVE_START], undo_steps
                ),
            )
        ),
        # The start day's cancel comes before the move.
        "18 the start's steps wait": Mend(put("_build_move", behind_all, move_start)),
        # Only orders that are scheduled and billed can be moved.
        "18 not billed yet: without a call": Mend(put("NOT_BILLED_YET", set(), move_start)),
        # Only known starts count.
        "18 late undoing counts from what may be there": Mend(
            put("is_late", not_late_while_unknown, late, withdrawal, received_decisions)
        ),
        # A late cancel is sent whatever start the records have.
        "18 late undoing cancels what is known": Mend(put("move_of", lambda order: None, withdrawal)),
        # A reopened order is planned for the day in its message.
        "18 a reopened order keeps its day": Mend(
            put("move_start_to", keeps_its_first_day, move_start, move_start_outcomes)
        ),
        # The start day of an order from before a restore is carried out without a query.
        "18 asked after a restore": Mend(put("ask_starts", lambda **marks: 0, claim)),
    }
