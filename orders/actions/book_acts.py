"""Staff actions on the big-data side's records: compare, fix, take, accept."""

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orders.actions import action_previews
from orders.actions.accept import accept, acceptable, ask_to_accept, ends_by_accept, why_not_accept
from orders.actions.action import Action, ReasonForm, StepForm, offer
from orders.actions.take import ask_all, is_about_start, stopped, take, why_not_quiet, why_not_take, why_not_take_move
from orders.books.books import OrderComparison, compare_now, has_look_up
from orders.books.differences import is_over
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE
from orders.models import Difference, Dispatch, Order
from orders.order_words.ladder.step_stages import Facts
from orders.outbox.billing_effects import starts_in_doubt
from orders.outbox.open_moves import unresolved
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS
from orders.reconciliation.results import compare_order
from orders.start_day.move_start import why_unresolved
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import cause_of

START, FAILED = Dispatch.Step.START_BPM, Dispatch.State.FAILED


def _look_at_books(order: Order, **_asked: object) -> OrderComparison:
    """Compares the order's records with the big-data side's. Raises BooksSilentError."""
    return compare_now(order.pk)


def failed_billing(facts: Facts) -> list[Dispatch]:
    """Returns the failed billing steps, except repeats of accepted steps."""
    return facts.of(lambda row: row.channel == Dispatch.Channel.BILLING and row.state == FAILED and not row.repeat)


def _say_found(_facts: Facts, found: list[Difference]) -> str:
    """Returns a message with the result of a comparison and the next step. The message is empty if there are no
    differences."""
    fixes = [row for row in found if row.fix_id]
    left = [row for row in found if row.state == Difference.State.OPEN and not row.fix_id]
    sentences = []
    if fixes:
        text = ngettext(
            "%(n)d difference is being put right; the result shows here within seconds.",
            "%(n)d differences are being put right; the result shows here within seconds.",
            len(fixes),
        )
        sentences.append(text % {"n": len(fixes)})
    if left:
        why = left[0].detail.get("left")
        text = ngettext("%(n)d difference stays open.", "%(n)d differences stay open.", len(left)) % {"n": len(left)}
        sentences.append(f"{text} {say_why(why) if why else ''}".strip())
    return " ".join(sentences)


def _why_not_compare(facts: Facts) -> NotAllowedError | None:
    if facts.order.kind == Order.Kind.CHANGE:
        return NotAllowedError("compare_change")
    return None if facts.order.planned_at else NotAllowedError("compare_not_planned")


COMPARE = Action(
    key="compare",
    label=_("Compare with the big-data side"),
    permission="orders.compare_order",
    done=_("The books agree: nothing differs."),
    why_not=_why_not_compare,
    preview_effects=action_previews.compare,
    ask_partner=_look_at_books,
    given=lambda facts: {"number": facts.order.number, "fix": False},
    service=compare_order,
    became=_say_found,
)


def _why_not_fix(facts: Facts) -> NotAllowedError | None:
    """Returns the reason why the fix is not offered, for example because the fix would leave every difference as it
    is."""
    if facts.open.mending:
        return NotAllowedError("fix_under_way")
    if not facts.differs and not _again(facts):
        return NotAllowedError("same_books", number=facts.order.number)
    left = action_previews.why_left(facts.order, now=facts.now)
    if left and all(left):
        return NotAllowedError("fix_leaves_all", why=left[0])
    return why_not_quiet(facts.order, facts.moving)


def _again(facts: Facts) -> bool:
    """Returns True if staff left records of the order as they are: staff accepted the records, or gave up the step that
    removes them."""
    given_up = any(row.code == BILLED_NOT_ACTIVE and not row.beside for row in facts.troubles)
    return bool(facts.marks.accepted) or given_up and is_over(facts.order)


FIX = Action(
    key="fix",
    label=_("Put the difference right"),
    permission="orders.fix_difference",
    four_eyes="fix",
    done=_("The books agree: nothing differs."),
    danger=True,
    why_not=_why_not_fix,
    preview_effects=action_previews.fix,
    ask_partner=_look_at_books,
    given=lambda facts: {"number": facts.order.number, "fix": True, "again": _again(facts)},
    service=compare_order,
    became=_say_found,
)


class TakeForm(StepForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if is_about_start(self.order):
            self.fields["step"] = forms.CharField(initial=START, widget=forms.HiddenInput)

    def rows(self):
        return [*stopped(self.order), *starts_in_doubt(self.order)]


def _why_not_take(facts: Facts) -> NotAllowedError | None:
    """Returns the reason why `take` is not offered, or None if it is offered. A customer who is still billed is no
    reason here (`billed=False`): only a comparison shows whether the records are gone."""
    start = any(row.step == START and row.state == FAILED and row.error_code in DOUBTS for row in facts.steps)
    if not (start or has_look_up()):
        return NotAllowedError("look_up_by_person")
    if move := unresolved(facts.steps):
        return why_not_take_move(facts.order, move, facts.now) or why_not_quiet(facts.order, facts.moving)
    there = start or any(row.error_code in {ACTED_BEFORE, *DOUBTS} for row in failed_billing(facts))
    why = why_not_take(facts.order, stopped=there, differs=facts.differs, billed=False)
    return why or why_not_quiet(facts.order, facts.moving)


TAKE = Action(
    key="take",
    label=_("Take the partner's books"),
    permission="orders.take_books",
    four_eyes="take",
    done=_("The big-data side's books are ours now."),
    form=TakeForm,
    why_not=_why_not_take,
    preview_effects=action_previews.take,
    ask_partner=ask_all,
    service=take,
)


class AcceptForm(ReasonForm):
    """Form of `accept`. The field `incident` is removed if there is only one incident to choose."""

    incident = forms.ChoiceField(label=_("incident"), required=False)
    field_order = ["incident", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        troubles, _steps = acceptable(self.order)
        codes = [row.incident.code for row in troubles]
        offer(self, "incident", ((code, cause_of(code).what) for code in codes))

    def said(self, name, value):
        return str(cause_of(value).what) if name == "incident" else super().said(name, value)


def _why_not_accept(facts: Facts) -> NotAllowedError | None:
    unknown = {row.step: row.error_code for row in failed_billing(facts) if row.may_have_acted}
    there = any(ends_by_accept(row.code, row.step, unknown) for row in facts.troubles)
    why = why_not_accept(facts.order, there) or why_not_quiet(facts.order, facts.moving)
    return why or why_unresolved(facts.order, unresolved(facts.steps))


ACCEPT = Action(
    key="accept",
    label=_("Live with it"),
    permission="orders.accept_difference",
    four_eyes="accept",
    done=_("Accepted. It counts as fine and stays listed."),
    form=AcceptForm,
    why_not=_why_not_accept,
    preview_effects=action_previews.accept,
    ask_partner=ask_to_accept,
    service=accept,
)
