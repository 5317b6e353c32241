"""Removes the fixes of known defects, one at a time, and says after how many sequences the model notices.

`python -m tests.model.bite [--count N] [--seed N] [NAME...]`: at most N sequences for each (2,000), all or those
named. If the model notices a missing fix, no later change can remove that fix unseen. `SENTENCES` are those of contract
3.9, 19 and what hangs on them.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

COUNT, PART, STEPS = 2000, 50, 40
# TO COMPLETE once the shape has a module: each sentence becomes an entry of `mends` under this name. The words say what
# the patch does. `main` names those that have no entry yet.
SENTENCES = {
    "19 each says only what its message gives": "a change copies service and end of what stood before, and keeps them",
    "19 the list says of every domain": "the fold adds the list's domains, and takes none away",
    "19 the number decides": "the fold sorts by arrival",
    "19 in effect until it is withdrawn": "the fold keeps withdrawn changes",
    "19 a held one has no number": "a held change is in effect",
    "19 given up says nothing about what it did not do": "the fold takes the whole message of a given-up change",
    "19 an end that only some have": "a given-up change's end counts where one domain has it",
    "19 a service that only some have": "a given-up change's service counts where one domain has it",
    "19 an ending leaves no domain": "the fold leaves endings out",
    "19 a later end after an ending": "any change with a higher number ends an ending",
    "19 an ending stands when its revival goes": "a revival removes the ending",
    "19 a taken end counts": "the fold leaves taken ends out",
    "19 until a change names one": "a taken end comes last in the fold",
    "19 ended where its end has passed": "the state is not moved when the shape changes",
    "19 what is live does not decide": "a trial without live records is ended",
    "19 its end as cancelTime": "what takes back restores the end that a record had",
    "19 the shape's service": "what takes back restores the service that a record had",
    "19 worked out at the first attempt": "the records of an undoing are worked out when it is planned",
    "19 planned anew behind it": "changes that have sent nothing keep their plan",
    "19 give_up, accept and take send nothing": "they put back what they were about",
    "19 moved at some domains only is put back": "nothing is put back after a given-up extension",
    "19 the end has passed": "an undoing restores after the end, and cancels nothing that runs on",
    "19 the incident stays": "giving a put-back up closes its incident",
    "19 a refused cancel is looked up": "a refused cancel counts as refused for all its records",
    "14 the trial is named": "an incident of a change's billing does not name its trial",
    "3.10 named both": "`change_built_upon` names the change alone",
}


def mends() -> dict[str, Callable[[contextlib.ExitStack], None]]:
    """By name: what removes the fix while the stack is open."""
    from django.db.models import Q

    from orders.db.compiled_sql import Prepared, Slot
    from orders.models import Dispatch, Order, OrderDomain
    from orders.services import approvals, deciding, giving_up, intake, order_state, reopening, withdrawal
    from orders.services.compensation import finish, late, plan, start
    from orders.services.outbox import effects, follow_up, resend
    from orders.services.outbox import record as outcomes
    from orders.services.reconciliation import fixes

    def put(place: object, name: str, value: object) -> Callable[[contextlib.ExitStack], None]:
        return lambda stack: stack.enter_context(mock.patch.object(place, name, value))

    def everywhere(name: str, value: object, *places: object) -> Callable[[contextlib.ExitStack], None]:
        return lambda stack: [stack.enter_context(mock.patch.object(place, name, value)) for place in places]

    def newest_only(order):
        return [row for row in effects.acts_of(order) if not row.superseded]

    def of_all_plans(order):
        rows = order.dispatches.filter(effects.ACTED, channel="billing", undo=False).exclude(step="ask_billing")
        return list(rows.order_by("position", "pk"))

    def old_domains(order):
        return list(OrderDomain.objects.filter(order=order).values_list("name", flat=True))

    def fits_as_refused(rows, outcomes_):
        return set()

    changes = Order.objects.filter(kind=Order.Kind.CHANGE, in_effect=True)
    by_clock = Prepared(lambda: changes.filter(trial__number=Slot("number")).order_by("-planned_at", "-pk")[:1])
    ask_trial = order_state.ask_trial

    def shape_by_clock(number, *more):
        facts, answers = ask_trial(number, *more)
        if facts.trial:
            facts.shape = by_clock.first(number=number) or facts.trial
            facts.domains = list(facts.shape.domains.values_list("name", flat=True))
        return facts, answers

    def clock_decides(stack):
        put(order_state, "LAST_CHANGE", by_clock)(stack)
        everywhere("ask_trial", shape_by_clock, order_state, intake)(stack)

    replaced_too = mock.PropertyMock(return_value=True)
    return {
        "1 opened with its old domains": put(reopening, "given_domains", old_domains),
        "1 a filter opens": put(resend.Selection, "names", replaced_too),
        "13 cancels what was planned": put(outcomes, "_find_trials_records", lambda rows: None),
        "2 only the newest dispatch counts": everywhere("acts_of", newest_only, plan, finish),
        "2 earlier plans count": everywhere("acts_of", of_all_plans, plan, finish),
        "2 nobody touched it since": put(effects, "touched_since", lambda row, own: set()),
        "4 a repeat replaces": put(resend, "_repeat", lambda row, now: resend.replace(row, now)),
        "4 a repeat overtakes": put(resend, "_is_followed", lambda row: False),
        "5 every record counts": put(
            approvals, "counting_records", lambda order: list(order.approvals.filter(finished=True, source="bpm"))
        ),
        "5 a process is started twice": put(reopening, "bpm_acts", lambda order: Dispatch.objects.none()),
        "6 the clock says which change is last": clock_decides,
        "7 409 is as if nothing had been": put(outcomes, "fitting", fits_as_refused),
        "7 --fix does all": put(fixes.FixPlan, "_why_left", lambda self, one, record: None),
        "8 a refused step of a withdrawn order stays": everywhere("close_refused", lambda order: 0, withdrawal),
        "8 nothing is planned behind": put(giving_up, "plan_behind", lambda *words, **more: []),
        "8 the shape is not counted": put(giving_up, "count_what_is_there", lambda *words, **more: True),
        "9 late is as soon": everywhere("is_late", lambda order, now: False, late, withdrawal, approvals),
        "9 the trial runs on": put(finish, "unmark_undo_asked", lambda order: setattr(order, "undo_asked_at", None)),
        "times are written when refused": put(outcomes, "take_times", lambda row, records, outcome: None),
        "what may not have acted is repeated": put(
            start, "close_never_begun",
            lambda order, but="": order.dispatches.filter(state="waiting", undo=False).update(state="closed"),
        ),
        "lost is compensated": put(follow_up, "NOT_COMPENSATED", set()),
        "a reject forbids nothing": everywhere("standing_decision", lambda order: "", reopening, resend),
        "decide opens nothing": put(deciding, "open_again", lambda order, now, by: None),
        "given up is open": put(finish, "given_up_undoing", lambda order: order.dispatches.filter(Q(pk=None))),
    }  # fmt: skip


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.model.bite")
    words.add_argument("names", nargs="*", help="parts of names")
    words.add_argument("--count", type=int, default=COUNT)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from tests.model.harness import Stage
    from tests.model.run import database

    missed = 0
    with database(), Stage() as stage:
        for name, take_back in mends().items():
            if options.names and not any(part in name for part in options.names):
                continue
            with contextlib.ExitStack() as stack:
                take_back(stack)
                missed += not report(name, stage, options)
    for name in SENTENCES.keys() - mends().keys():
        print(f"{name}: no entry yet ({SENTENCES[name]})")
    print(f"{missed} missed")
    return 1 if missed else 0


def report(name: str, stage, options) -> bool:
    """Plays until the model notices; prints after how many sequences at most, and what the model said."""
    began = time.process_time()
    for played, said in play(stage, options.count, options.seed):
        if said:
            print(f"{name}: within {played} ({time.process_time() - began:.0f} s): {said}", flush=True)
            return True
    print(f"{name}: NOT within {options.count} ({time.process_time() - began:.0f} s)", flush=True)
    return False


def play(stage, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Yields (sequences so far, what was wrong) for each part, without shrinking."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.model.machine import Model

    Model.stage = stage
    for part in range(0, count, PART):
        chosen = settings(
            max_examples=PART, stateful_step_count=STEPS, deadline=None, database=None, print_blob=False,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
        )  # fmt: skip
        try:
            run_state_machine_as_test(hypothesis.seed(seed + part)(Model), settings=chosen)
        except Exception as error:
            yield part + PART, f"{type(error).__name__} {error}"[:160].replace("\n", " ")
            return
        yield part + PART, ""


if __name__ == "__main__":
    sys.exit(main())
