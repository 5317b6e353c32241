"""What decisions have in common: the class of each, the form that asks the reason, and what they tell afterwards."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.foreseen import Foreseen
from orders.books.books import Look, OrderComparison, compare_now
from orders.lists.reason import reason_field
from orders.models import Dispatch, Order
from orders.order_words.ladder.step_rungs import Facts
from orders.texts.errors import OrderError

SEEN = ("jobId", "productId", "domain", "cancelStatus", "createTime", "cancelTime")
LOOKED_AT = gettext_lazy("what was seen there")


class ReasonForm(forms.Form):
    """Asks the reason. `seen`: the newest event on the page that the person came from."""

    reason = reason_field(help_text=gettext_lazy("It enters the order's history with your name."))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order

    def said(self, name: str, value: str) -> str:
        """An answer that was given to one of its fields, in words; also where the field is not asked any more."""
        if name == "look":
            return said_look(Look.read(value))
        field = self.fields.get(name) or self.base_fields.get(name)
        choices = {key: str(words) for key, words in getattr(field, "choices", ()) if key}
        return choices.get(value, value)

    def more(self) -> dict[str, str]:
        return {key: value for key, value in self.cleaned_data.items() if key not in {"reason", "seen"}}


class StepForm(ReasonForm):
    """Which of the steps is meant; not asked where there is one only."""

    step = forms.ChoiceField(label=gettext_lazy("step"), required=False)
    field_order = ["step", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        offer(self, "step", ((row.step, row.get_step_display()) for row in self.rows()))

    def said(self, name, value):
        return str(dict(Dispatch.Step.choices).get(value, value)) if name == "step" else super().said(name, value)

    def rows(self) -> list[Dispatch]:
        raise NotImplementedError


def said_look(look: Look | None) -> str:
    """What a person saw at the big-data side, a record a line."""
    if look is None:
        return ""
    lines = [_("as of %(moment)s") % {"moment": f"{timezone.localtime(look.as_of):%Y-%m-%d %H:%M}"}]
    lines += [" ".join(row.get(name, "") for name in SEEN) for row in look.rows]
    return "\n".join(lines if look.rows else [*lines, _("none of the records is there")])


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
    order has changed since the person looked. `four_eyes`: its word in FOUR_EYES, where a second person can be wanted.
    `heeded`: sentences of `foresee`, by code, that follow from what the form asks; whoever takes the decision must have
    read them.
    """

    key: ClassVar[str]
    place: ClassVar[int]
    label: ClassVar[str | Promise]
    permission: ClassVar[str]
    done: ClassVar[str | Promise] = ""
    danger: ClassVar[bool] = False
    guarded: ClassVar[bool] = True
    four_eyes: ClassVar[str] = ""
    heeded: ClassVar[frozenset[str]] = frozenset()
    form: ClassVar[type[ReasonForm]] = ReasonForm
    asks: ClassVar[Callable[..., object] | None] = None
    """What a partner is asked before it is decided, outside any transaction, with the order, `by` and what the form
    asks. `act` gets its answer as `held`."""
    guard: ClassVar[Callable[..., OrderError | None]]
    service: ClassVar[Callable[..., object]]
    foresee: ClassVar[Callable[..., Iterable[Foreseen]]]
    follows: ClassVar[str | Promise] = ""
    """What will happen, where one sentence says it of every order and `foresee` has nothing to read."""

    def why_not(self, facts: Facts) -> OrderError | None:
        """Why the order's present state does not allow it, by the service's own guard; None if it does. Asks the
        database only about orders for which it may well be the right decision."""
        return self.guard(facts.order)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        """What will happen, in sentences. `asked`: what the form asks besides the reason, once it is filled in.
        Raises OrderError."""
        return [str(self.follows)] if self.follows else sentences(self.foresee(facts.order, now=facts.now, **asked))

    def warnings(self, facts: Facts, **asked: object) -> list[str]:
        """The sentences that whoever decides must have read; none before the form is filled in. Raises OrderError."""
        if not (self.heeded and asked):
            return []
        return sentences(row for row in self.foresee(facts.order, now=facts.now, **asked) if row.code in self.heeded)

    def preview(self, facts: Facts, *, by: str) -> str:
        """A text that goes out by it, as `by` would send it now; empty if none does."""
        return ""

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


def look_at_books(order: Order, **_asked: object) -> OrderComparison:
    """The order's records held against the big-data side's. Raises BooksSilentError."""
    return compare_now(order.pk)


def failed_billing(facts: Facts) -> list[Dispatch]:
    """The billing steps that have failed, but for those that only repeat what was accepted."""
    failed = Dispatch.State.FAILED
    return facts.of(lambda row: row.channel == Dispatch.Channel.BILLING and row.state == failed and not row.repeat)
