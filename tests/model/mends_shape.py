"""The fixes of contract 3.9, rule 19, for `bite`: a patch for each sentence, and for consequences of the sentences."""

import dataclasses

from tests.model.mends import Mend, both, put

FAR = 10**6  # a number greater than all real ones
NOTICED_BY = {
    "14 the trial is named": "an_end_that_some_records_refused_is_put_back_for_the_others",
    "19 a held one has no number": "a_restore_makes_nothing_of_a_change_that_waits_for_the_claim",
    "19 a later end after an ending": "only_a_change_that_names_a_later_end_lets_an_ended_trial_run_on",
    "19 a refused cancel is looked up": "a_record_that_a_strict_partner_does_not_know_stops_nobody",
    "19 a service that only some have": "a_service_that_only_some_records_have_is_put_back",
    "19 a taken end counts": "an_end_that_staff_took_is_the_trials",
    "19 an end that only some have": "an_end_that_some_records_refused_is_put_back_for_the_others",
    "19 an ending leaves no domain": "a_given_up_restore_is_not_called_restored",
    "19 an ending stands when its revival goes": "a_late_undoings_ending_stands_without_what_revived_the_trial",
    "19 each says only what its message gives": "an_extension_that_never_came_did_nothing",
    "19 ended where its end has passed": "a_withdrawn_extension_that_revived_a_trial_leaves_no_record_running_on",
    "19 give_up, accept and take send nothing": (
        "giving_up_the_cancel_of_the_old_service_sends_nothing_for_its_records"
    ),
    "19 give_up, accept and take send nothing (accept)": "accepting_an_unknown_cancel_gives_no_domain_of_the_trial_up",
    "19 given up says nothing about what it did not do": "an_end_that_some_records_refused_is_put_back_for_the_others",
    "19 in effect until it is withdrawn": "a_withdrawn_extension_leaves_no_record_running_on",
    "19 its end as cancelTime": "a_domain_that_a_later_change_brought_back_has_the_trials_end_again",
    "19 moved at some domains only is put back": "an_end_that_some_records_refused_is_put_back_for_the_others",
    "19 planned anew behind it": "an_activation_behind_a_change_that_was_never_sent_is_planned_without_it",
    "19 the end has passed": "a_withdrawn_extension_leaves_no_record_running_on",
    "19 the incident stays": "a_put_back_that_was_given_up_is_named_until_it_is_resent",
    "19 the list says of every domain": "a_domain_whose_cancel_was_given_up_keeps_the_trial_at_its_end",
    "19 the number decides": "a_shape_that_is_folded_anew_goes_by_number_where_the_clock_was_set_back",
    "19 the number decides, not the clock": "a_shape_that_is_folded_anew_goes_by_number_where_the_clock_was_set_back",
    "19 the shape's service": "a_trial_is_given_back_under_one_service",
    "19 until a change names one": "a_taken_end_counts_until_a_change_that_names_one",
    "19 what is live does not decide": "a_late_undoings_ending_stands_without_what_revived_the_trial",
    "19 worked out at the first attempt": "an_undoing_that_is_sent_after_the_trials_end_restores_nothing",
    "3.10 named both": "a_change_on_which_a_scheduled_activation_was_built_is_undone_before_its_day",
}
"""By fix: a test of `test_found_shape.py` that fails without the fix. `test_` is omitted."""


def sentences() -> dict[str, Mend]:
    """Returns the fixes by name. Requires that Django is set up.

    Each name is a sentence of rule 19. The comment above the name describes the wrong behaviour without the fix.
    """
    found = {**_of_the_fold(), **_of_endings(), **_of_given_up(), **_of_the_state(), **_of_taking_back()}
    tests = {name: f"test_found_shape.py::test_{test}" for name, test in NOTICED_BY.items()}
    return {name: dataclasses.replace(mend, noticed_by=tests[name]) for name, mend in found.items()}


def _of_the_fold() -> dict[str, Mend]:
    from orders.intake import facts, plan_or_hold, receive, replan_held_orders
    from orders.models import Order, TrialEnd
    from orders.replanning import giving_up, reopening
    from orders.rules import trial_shape as folding
    from orders.trials import trial_state_reads
    from orders.trials import trial_state_writes as keeping

    said, entries_of, listed, plan_of = (
        trial_state_reads._change_request,
        trial_state_reads.entries_of,
        folding._listed,
        plan_or_hold.plan_order,
    )
    readers, content_of = (trial_state_reads, keeping, giving_up), facts.content_of

    def says_all(row, domains):
        return said(row | {"given": [*row["given"], "service_type", "biz_end"]}, domains)

    def content_says_all(order, **named):
        content = content_of(order, **named)
        return dataclasses.replace(content, service_type=order.service_type_id or "", biz_end=order.biz_end)

    def adds(before, entry):
        return {**before, **listed(before, entry)}

    def numbered_by(column):
        """Returns a replacement of `entries_of`.

        It numbers changes by the time in this column, and endings by the time of their creation.
        """

        def read(trials, *, without=()):
            found = {}
            for trial, entries in entries_of(trials, without=without).items():
                changes = Order.objects.filter(trial=trial, kind="change", change_number__isnull=False)
                times = dict(changes.values_list("change_number", column))
                times |= dict(TrialEnd.objects.filter(trial=trial).values_list("number", "at"))
                by_time = sorted(times, key=lambda number: (times[number], number))
                place = dict(zip(by_time, sorted(times), strict=True))
                found[trial] = [dataclasses.replace(one, number=place.get(one.number, one.number)) for one in entries]
            return found

        return read

    def q_without_in_effect(*parts, **facts):
        facts.pop("in_effect", None)
        return q(*parts, **facts)

    q = trial_state_reads.Q

    def held_counts(content, known, **named):
        plan = plan_of(content, known, **named)
        if plan.held and content.kind == "change" and known.trial:
            plan.fields |= {"in_effect": True, "change_number": known.change_number}
        return plan

    return {
        # A change also counts as giving the service and end that were valid before it.
        "19 each says only what its message gives": Mend(
            both(
                put("_change_request", says_all, trial_state_reads),
                put("content_of", content_says_all, replan_held_orders, reopening),
            )
        ),
        # A change's list only adds domains.
        "19 the list says of every domain": Mend(put("_listed", adds, folding)),
        # Changes are sorted by arrival, or by the clock.
        "19 the number decides": Mend(put("entries_of", numbered_by("received_at"), *readers)),
        "19 the number decides, not the clock": Mend(put("entries_of", numbered_by("planned_at"), *readers)),
        # Withdrawn changes still count.
        "19 in effect until it is withdrawn": Mend(put("Q", q_without_in_effect, trial_state_reads)),
        # A held change counts.
        "19 a held one has no number": Mend(put("plan_order", held_counts, receive, replan_held_orders, reopening)),
    }


def _of_endings() -> dict[str, Mend]:
    from orders.intake import plan_or_hold
    from orders.models import TrialEnd
    from orders.replanning import giving_up
    from orders.rules import trial_shape as folding
    from orders.rules.trial_shape import AcceptedEndDate, ChangeRequest, Ending
    from orders.trials import trial_state_reads
    from orders.trials import trial_state_writes as keeping

    entries_of, after, keep_shape = trial_state_reads.entries_of, folding.after, keeping.keep_shape

    def without(kind):
        return lambda shape, entry: shape if isinstance(entry, kind) else after(shape, entry)

    def any_change_ends_it(shape, entry):
        new = after(shape, entry)
        return dataclasses.replace(new, closed=False) if isinstance(entry, ChangeRequest) else new

    def forgets_endings(trial, shape):
        keep_shape(trial, shape)
        if not shape.closed:
            TrialEnd.objects.filter(trial=trial, kind=TrialEnd.Kind.ENDING).delete()

    def taken_last(trials, *, without=()):
        return {
            trial: [
                dataclasses.replace(one, number=one.number + FAR) if isinstance(one, AcceptedEndDate) else one
                for one in entries
            ]
            for trial, entries in entries_of(trials, without=without).items()
        }

    return {
        # Endings do not count.
        "19 an ending leaves no domain": Mend(put("after", without(Ending), folding)),
        # Any change with a higher number ends an ending.
        "19 a later end after an ending": Mend(put("after", any_change_ends_it, folding, plan_or_hold)),
        # A revival removes the ending.
        "19 an ending stands when its revival goes": Mend(put("keep_shape", forgets_endings, keeping)),
        # Ends that staff took do not count.
        "19 a taken end counts": Mend(put("after", without(AcceptedEndDate), folding)),
        # An end that staff took overrides all changes.
        "19 until a change names one": Mend(put("entries_of", taken_last, trial_state_reads, keeping, giving_up)),
    }


def _of_given_up() -> dict[str, Mend]:
    from orders.outbox import record_selection
    from orders.replanning import giving_up
    from orders.rules.trial_shape import NOT_HELD, after
    from orders.trials import trial_state_reads

    said_by_row, effective_part = trial_state_reads._change_request, giving_up.effective_part
    begin_undo, build_restore_steps = giving_up.begin_undo, giving_up.build_restore_steps

    def says_the_whole(row, domains):
        return said_by_row(row | {"given_up": None}, domains)

    def end_of_some(before, said, held):
        done, wanted = effective_part(before, said, held), after(before, said)
        left = after(before, done)
        some = any(held.get((left.service, one), NOT_HELD) == wanted.end for one in left.domains)
        return dataclasses.replace(done, end=said.end) if some else done

    def service_of_some(before, said, held):
        done, wanted = effective_part(before, said, held), after(before, said)
        some = any((wanted.service, one) in held for one in after(before, done).domains)
        return dataclasses.replace(done, service=said.service) if some else done

    def undo_all(order, *, but=(), **named):
        return begin_undo(order, **named)

    def put_all_back(order, now, *, but=(), **about):
        return build_restore_steps(order, now, **about)

    def nothing_put_back(order, now, **about):
        return [] if "puts_back" in about else build_restore_steps(order, now, **about)

    return {
        # The whole message of a given-up change counts.
        "19 given up says nothing about what it did not do": Mend(
            put("_change_request", says_the_whole, trial_state_reads)
        ),
        # The end or the service of a given-up change counts if one domain has it.
        "19 an end that only some have": Mend(put("effective_part", end_of_some, giving_up)),
        "19 a service that only some have": Mend(put("effective_part", service_of_some, giving_up)),
        # These commands restore records: `give_up`, and `accept` or `take` of a record as it is.
        "19 give_up, accept and take send nothing": Mend(
            both(put("begin_undo", undo_all, giving_up), put("build_restore_steps", put_all_back, giving_up))
        ),
        "19 give_up, accept and take send nothing (accept)": Mend(put("LEFT", "-", record_selection)),
        # After a given-up extension nothing is restored.
        "19 moved at some domains only is put back": Mend(put("build_restore_steps", nothing_put_back, giving_up)),
        # Giving up the restoring step closes its incident.
        "19 the incident stays": Mend(put("note_not_meant", lambda trial, **named: None, giving_up)),
    }


def _of_the_state() -> dict[str, Mend]:
    from orders.history.order_locks_and_events import move_trial
    from orders.replanning import giving_up
    from orders.trials import expired_trials
    from orders.trials import trial_state_writes as keeping

    refresh_trial = keeping.refresh_trial

    def ends_without_records(trial, shape=None, *, now, by):
        refresh_trial(trial, shape, now=now, by=by)
        if trial.state == "trialing" and not trial.billing_records.filter(state="live").exists():
            move_trial(trial, "ended", now=now, by=by)

    def stays(trial, shape=None, **named):
        pass

    return {
        # The trial's state stays when the shape changes.
        "19 ended where its end has passed": Mend(put("refresh_trial", stays, keeping)),
        # A trial without live records is ended.
        "19 what is live does not decide": Mend(
            put("refresh_trial", ends_without_records, keeping, giving_up, expired_trials)
        ),
    }


def _of_taking_back() -> dict[str, Mend]:
    from orders.models import BillingRecord
    from orders.outbox import record_selection
    from orders.replanning import giving_up, replan_line, withdrawal
    from orders.rules.steps import Step
    from orders.sending import record as outcomes
    from orders.sending import record_updates, step_incidents
    from orders.undoing import start

    set_times, select_records, to_restore = (
        record_selection.set_times,
        record_selection.select_records,
        record_selection.WANTED[Step.RESTORE_TRIAL],
    )
    meant_now, plan_undo, open_incident = record_selection.meant_now, start.plan_undo, replan_line.open_incident

    def keeps_its_end(row, records):
        ends = {pk: records[pk].cancel_time for pk in row.records if pk in records}
        set_times(row, records)
        for pk, end in ends.items() if row.step == Step.RESTORE_TRIAL else ():
            records[pk].cancel_time = end or records[pk].cancel_time

    def keeps_its_service(record, meant, now):
        cancelled = meant is not None and record.domain_key in meant.domains and record.state == "cancelled"
        return cancelled or to_restore(record, meant, now)

    def plan_with_records(order, now, **named):
        rows = plan_undo(order, now, **named)
        for row in rows:
            if row.lane and record_selection._is_shaped(row):
                row.about = row.about | {"planned": [record.pk for record in select_records(row, now=now)[1]]}
        return rows

    def as_planned(row, **named):
        shape, records = select_records(row, **named)
        if "planned" in row.about:
            records = list(BillingRecord.objects.filter(pk__in=row.about["planned"]).order_by("pk"))
        return shape, records

    def meant_after_its_end(trial, shape, **named):
        return meant_now(trial, dataclasses.replace(shape, end=None), **named) and shape

    def change_alone(order, *, code, **named):
        if code != replan_line.DEPENDENCY_GONE or order.kind != "activation":
            open_incident(order, code=code, **named)

    return {
        # An undoing restores the end or the service that a record had before.
        "19 its end as cancelTime": Mend(put("set_times", keeps_its_end, record_selection, record_updates)),
        "19 the shape's service": Mend(
            put("WANTED", record_selection.WANTED | {Step.RESTORE_TRIAL: keeps_its_service}, record_selection)
        ),
        # The records of an undoing are selected when it is planned.
        "19 worked out at the first attempt": Mend(
            both(put("plan_undo", plan_with_records, start), put("select_records", as_planned, record_selection))
        ),
        # Orders that have sent nothing keep their plan.
        "19 planned anew behind it": Mend(
            put("plan_behind", lambda trial, **named: [], withdrawal, giving_up, replan_line)
        ),
        # After the end, an undoing restores records and does not cancel records that run on.
        "19 the end has passed": Mend(put("meant_now", meant_after_its_end, record_selection)),
        # A refused cancel counts as refused for all its records.
        "19 a refused cancel is looked up": Mend(put("_is_looked_up", lambda row, outcome: False, outcomes)),
        # An incident about a change's billing does not name the trial.
        "14 the trial is named": Mend(put("_names_trial", lambda row: False, step_incidents)),
        # `change_built_upon` names only the change.
        "3.10 named both": Mend(put("open_incident", change_alone, replan_line)),
    }
