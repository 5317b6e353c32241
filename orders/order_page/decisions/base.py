"""What decisions have in common: the class of each, the form that asks the reason, and what they tell afterwards."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.books import OrderComparison, compare_now
from orders.errors import OrderError
from orders.models import Dispatch, Order
from orders.order_page.ladder.steps import Facts
from orders.queries.foreseen import Foreseen

LONGEST_REASON = 500


class ReasonForm(forms.Form):
    """Asks the reason. `seen`: the newest event on the page that the person came from."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True, "data-draft": ""}),
        help_text=gettext_lazy("It enters the order's history with your name."),
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order

    def more(self) -> dict[str, str]:
        return {key: value for key, value in self.cleaned_data.items() if key not in {"reason", "seen"}}


class StepForm(ReasonForm):
    """Which of the steps is meant; not asked where there is one only."""

    step = forms.ChoiceField(label=gettext_lazy("step"), required=False)
    field_order = ["step", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        offer(self, "step", ((row.step, row.get_step_display()) for row in self.rows()))

    def rows(self) -> list[Dispatch]:
        raise NotImplementedError


def offer(form: ReasonForm, name: str, choices: Iterable[tuple]) -> None:
    """The choices of a field, each once, after "all of them"; one alone is no choice."""
    choices = list(dict.fromkeys(choices))
    form.fields[name].choices = [("", _("all of them")), *choices]
    if len(choices) < 2:
        del form.fields[name]


class Decision:
    """One thing that staff may decide about an order; `registry.py` makes one of each class.

    `place` is its place in the menu, `label` stands on the button, and `done` is said afterwards, where the act does
    not say itself what came of it. `danger`: it takes something away. `guarded`: it is asked about again where the
    order has changed since the person looked.
    """

    key: ClassVar[str]
    place: ClassVar[int]
    label: ClassVar[str | Promise]
    permission: ClassVar[str]
    done: ClassVar[str | Promise] = ""
    danger: ClassVar[bool] = False
    guarded: ClassVar[bool] = True
    form: ClassVar[type[ReasonForm]] = ReasonForm
    asks: ClassVar[Callable[[Order], object] | None] = None
    """What a partner is asked before it is decided, outside any transaction; `act` gets its answer as `held`."""
    guard: ClassVar[Callable[..., OrderError | None]]
    service: ClassVar[Callable[..., object]]
    foresee: ClassVar[Callable[..., Iterable[Foreseen]]]
    follows: ClassVar[str | Promise] = ""
    """What will happen, where one sentence says it of every order and `foresee` has nothing to read."""

    def why_not(self, facts: Facts) -> OrderError | None:
        """Why the order's present state does not allow it, by the service's own guard; None if it does. Asks the
        database only about orders for which it may well be the right decision."""
        return self.guard(facts.order)

    def will(self, facts: Facts) -> list[str]:
        """What will happen, in sentences. Raises OrderError."""
        return [str(self.follows)] if self.follows else sentences(self.foresee(facts.order, now=facts.now))

    def act(self, facts: Facts, *, by: str, reason: str, **more: object) -> str | None:
        """Calls the one service, on the locked order; returns what came of it where that depends on the order. `more`:
        what the form asks besides the reason, and `held`. Raises OrderError."""
        self.service(number=facts.order.number, by=by, reason=reason, now=facts.now, **more)
        return None


def sentences(foreseen: Iterable[Foreseen]) -> list[str]:
    return [row.words() for row in foreseen]


def what_became(facts: Facts) -> str:
    """What came of taking an order back, told from the order as it is now."""
    order = Order.objects.only("state", "undo_since").get(pk=facts.order.pk)
    if order.state == Order.State.COMPENSATING:
        return _("What was sent is being taken back; the result shows here within seconds.")
    if order.state == facts.order.state:
        return _("Noted. The order stays as it is for now: %(state)s.") % {"state": order.get_state_display()}
    return _("Done. The order is now: %(state)s.") % {"state": order.get_state_display()}


def look_at_books(order: Order) -> OrderComparison:
    """The order's records held against the big-data side's. Raises BooksSilentError."""
    return compare_now(order.pk)


def failed_billing(facts: Facts) -> list[Dispatch]:
    """The billing steps that have failed, but for those that only repeat what was accepted."""
    failed = Dispatch.State.FAILED
    return facts.of(lambda row: row.channel == Dispatch.Channel.BILLING and row.state == failed and not row.repeat)
