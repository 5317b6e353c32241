"""What `bite` takes back: fixes of known defects, each with the patch that removes it.

The names begin with the rule of contract 3.9 that they keep, where there is one. Those of rule 19 are in
`mends_shape.py`. Names are imported into other modules, so a patch is put wherever the function is used.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

Patch = Callable[[contextlib.ExitStack], None]


@dataclass(frozen=True)
class Mend:
    """A fix. `remove` removes it while the stack is open. `noticed_by`: a test that fails without it, where one
    is known."""

    remove: Patch
    noticed_by: str = ""


def put(name: str, value: object, *places: object) -> Patch:
    """Replaces this name in each of these modules or classes."""
    return lambda stack: [stack.enter_context(mock.patch.object(place, name, value)) for place in places]


def both(*patches: Patch) -> Patch:
    """Several patches that remove one fix."""
    return lambda stack: [patch(stack) for patch in patches]


def known_defects() -> dict[str, Mend]:
    """By name: the fixes of defects that were found before rule 19. Django must be set up."""
    from django.db.models import Q

    from orders.models import Dispatch, OrderDomain
    from orders.services import approvals, deciding, reopening, withdrawal
    from orders.services.compensation import finish, late, plan, start
    from orders.services.outbox import effects, follow_up, freeze, resend
    from orders.services.outbox import record as outcomes
    from orders.services.reconciliation import fixes

    acts_of, choose, release_claim = effects.acts_of, freeze._choose, finish.release_claim

    def newest_only(order):
        return [row for row in acts_of(order) if not row.superseded]

    def of_all_plans(order):
        rows = order.dispatches.filter(effects.ACTED, channel="billing", undo=False).exclude(step="ask_billing")
        return list(rows.order_by("position", "pk"))

    def old_domains(order):
        return list(OrderDomain.objects.filter(order=order).values_list("name", flat=True))

    def as_planned(fresh):
        planned = {row.pk: list(row.records) for row in fresh if row.step == "cancel_trial"}
        choose(fresh)
        for row in fresh:
            if planned.get(row.pk) and not freeze._is_shaped(row):
                row.records = [pk for pk in row.records if pk in planned[row.pk]]
                row.size = len(row.records)

    def close_waiting(order, but=""):
        return order.dispatches.filter(state="waiting", undo=False).update(state="closed")

    def free_and_running(claim, order, *, ends="", now, by):
        release_claim(claim, order, now=now, by=by)

    return {
        "1 opened with its old domains": Mend(put("given_domains", old_domains, reopening)),
        "1 a filter opens": Mend(put("names", mock.PropertyMock(return_value=True), resend.Selection)),
        "13 cancels what was planned": Mend(put("_choose", as_planned, freeze)),
        "2 only the newest dispatch counts": Mend(put("acts_of", newest_only, plan, finish)),
        "2 earlier plans count": Mend(put("acts_of", of_all_plans, plan, finish)),
        "4 a repeat may come after a later step": Mend(put("touched_since", lambda row: set(), resend)),
        "4 a repeat replaces": Mend(put("_repeat", resend.replace, resend)),
        "4 a repeat overtakes": Mend(put("_is_followed", lambda row: False, resend)),
        "5 every record counts": Mend(
            put(
                "counting_records",
                lambda order: list(order.approvals.filter(finished=True, source="bpm")),
                approvals,
            )
        ),
        "5 a process is started twice": Mend(put("bpm_acts", lambda order: Dispatch.objects.none(), reopening)),
        "7 409 is as if nothing had been": Mend(put("fitting", lambda rows, outcomes: set(), outcomes)),
        "7 the times of a 409 are not taken": Mend(put("take_times", lambda row, records, outcome: None, outcomes)),
        "7 --fix does all": Mend(put("_why_left", lambda self, one, record: None, fixes.FixPlan)),
        "8 a refused step of a withdrawn order stays": Mend(put("close_refused", lambda order: 0, withdrawal)),
        "9 late is as soon": Mend(put("is_late", lambda order, now: False, late, withdrawal, approvals)),
        "9 the trial runs on": Mend(put("release_claim", free_and_running, finish)),
        "what may not have acted is repeated": Mend(put("close_never_begun", close_waiting, start)),
        "lost is compensated": Mend(put("NOT_COMPENSATED", set(), follow_up)),
        "a reject forbids nothing": Mend(put("standing_decision", lambda order: "", reopening, resend)),
        "decide opens nothing": Mend(put("open_again", lambda order, now, by: None, deciding)),
        "given up is open": Mend(
            put("given_up_undoing", lambda order: order.dispatches.filter(Q(pk=None)), finish),
        ),
    }
