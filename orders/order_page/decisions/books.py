"""What is done about differences with the big-data side's books: compare, put right, take theirs, live with them."""

from typing import ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orders.books import OrderComparison, compare_now
from orders.error_messages import say_why
from orders.errors import NotAllowedError
from orders.incident_causes import cause_of
from orders.models import Difference, Dispatch, Order
from orders.order_page.decisions.base import Decision, ReasonForm, StepForm, offer
from orders.order_page.ladder.steps import Facts
from orders.queries import dry_run
from orders.services.moving import unresolved, why_unresolved
from orders.services.outbox.outcome import ACTED_BEFORE
from orders.services.reconciliation.accept import accept, acceptable, ends_by_accept, why_not_accept
from orders.services.reconciliation.results import compare_order
from orders.services.reconciliation.take import ask_all, stopped, take, why_not_quiet, why_not_take, why_not_take_move


def _look_at_books(order: Order) -> OrderComparison:
    """The order's records held against the big-data side's. Raises BooksSilentError."""
    return compare_now(order.pk)


class Compare(Decision):
    fix: ClassVar[bool] = False
    """Whether what differs is put right."""

    key = "compare"
    place = 140
    label = _("Compare with the big-data side")
    permission = "orders.fix_difference"
    done = _("The books agree: nothing differs.")
    asks = staticmethod(_look_at_books)
    foresee = staticmethod(dry_run.compare)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        if facts.order.kind == Order.Kind.CHANGE:
            return NotAllowedError("compare_change")
        return None if facts.order.planned_at else NotAllowedError("compare_not_planned")

    def act(self, facts: Facts, *, by: str, reason: str, held: OrderComparison) -> str:
        found = compare_order(number=facts.order.number, held=held, fix=self.fix, by=by, reason=reason, now=facts.now)
        return _say_found(found)


def _say_found(found: list[Difference]) -> str:
    """What a comparison found and what is done about it; empty where nothing differs."""
    fixes = [row for row in found if row.fix_id]
    left = [row for row in found if row.state == Difference.State.OPEN and not row.fix_id]
    told = []
    if fixes:
        text = ngettext(
            "%(n)d difference is being put right; the result shows here within seconds.",
            "%(n)d differences are being put right; the result shows here within seconds.",
            len(fixes),
        )
        told.append(text % {"n": len(fixes)})
    if left:
        why = left[0].detail.get("left")
        text = ngettext("%(n)d difference stays open.", "%(n)d differences stay open.", len(left)) % {"n": len(left)}
        told.append(f"{text} {say_why(why) if why else ''}".strip())
    return " ".join(told)


class Fix(Compare):
    fix = True
    key = "fix"
    place = 130
    label = _("Put the difference right")
    four_eyes = "fix"
    danger = True
    foresee = staticmethod(dry_run.fix)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        """What the fix finds is judged record by record. It is not offered where each of them would be left."""
        if facts.open.mending:
            return NotAllowedError("fix_under_way")
        if not facts.differs:
            return NotAllowedError("same_books", number=facts.order.number)
        left = dry_run.why_left(facts.order, now=facts.now)
        if left and all(left):
            return NotAllowedError("fix_leaves_all", why=left[0])
        return why_not_quiet(facts.order, facts.moving)


class TakeForm(StepForm):
    def rows(self):
        return stopped(self.order)


class Take(Decision):
    key = "take"
    place = 120
    label = _("Take the partner's books")
    permission = "orders.take_books"
    four_eyes = "take"
    done = _("The big-data side's books are ours now.")
    form = TakeForm
    asks = staticmethod(ask_all)
    service = staticmethod(take)
    foresee = staticmethod(dry_run.take)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        """Somebody who is billed still is no matter of taking: a comparison finds out whether the records are gone."""
        if move := unresolved(facts.steps):
            return why_not_take_move(facts.order, move, facts.now) or why_not_quiet(facts.order, facts.moving)
        there = any(row.error_code == ACTED_BEFORE for row in _failed_billing(facts))
        why = why_not_take(facts.order, stopped=there, differs=facts.differs, billed=False)
        return why or why_not_quiet(facts.order, facts.moving)


class AcceptForm(ReasonForm):
    """Which of the order's incidents is meant; not asked where there is one only."""

    incident = forms.ChoiceField(label=_("incident"), required=False)
    field_order = ["incident", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        troubles, _steps = acceptable(self.order)
        codes = [row.incident.code for row in troubles]
        offer(self, "incident", ((code, cause_of(code).what) for code in codes))

    def said(self, name, value):
        return str(cause_of(value).what) if name == "incident" else super().said(name, value)


class Accept(Decision):
    key = "accept"
    place = 160
    label = _("Live with it")
    permission = "orders.accept_difference"
    four_eyes = "accept"
    done = _("Accepted. It counts as fine and stays listed.")
    form = AcceptForm
    asks = staticmethod(ask_all)
    service = staticmethod(accept)
    foresee = staticmethod(dry_run.accept)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        unknown = {row.step for row in _failed_billing(facts) if row.may_have_acted}
        there = any(ends_by_accept(row.code, row.step, unknown) for row in facts.troubles)
        why = why_not_accept(facts.order, there) or why_not_quiet(facts.order, facts.moving)
        return why or why_unresolved(facts.order, unresolved(facts.steps))


def _failed_billing(facts: Facts) -> list[Dispatch]:
    """The billing steps that have failed, but for those that only repeat what was accepted."""
    failed = Dispatch.State.FAILED
    return facts.of(lambda row: row.channel == Dispatch.Channel.BILLING and row.state == failed and not row.repeat)
