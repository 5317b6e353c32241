"""Base classes for staff actions: `Action`, and the forms that ask for a reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.bulk_action import Bulk
from orders.actions.preview_sentences import PreviewSentence
from orders.books.books import Look
from orders.lists.reason import reason_field
from orders.models import Dispatch, Order
from orders.texts.errors import OrderError

LOOKED_AT = gettext_lazy("what was seen there")
SEEN = ("jobId", "productId", "domain", "cancelStatus", "createTime", "cancelTime")


class ReasonForm(forms.Form):
    """Form with a required reason. `seen`: the id of the newest event on the user's previous page."""

    reason = reason_field(help_text=gettext_lazy("It enters the order's history with your name."))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order

    def said(self, name: str, value: str) -> str:
        """Returns the display text of a field's value, even if the field was removed from this form."""
        if name == "look":
            return said_look(Look.read(value))
        field = self.fields.get(name) or self.base_fields.get(name)
        choices = {key: str(words) for key, words in getattr(field, "choices", ()) if key}
        return choices.get(value, value)

    def more(self) -> dict[str, str]:
        return {key: value for key, value in self.cleaned_data.items() if key not in {"reason", "seen"}}


class StepForm(ReasonForm):
    """Form of an action on a step. The field `step` is removed if there is only one step to choose."""

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
    """Formats the records that a person saw at the big-data side, one per line."""
    if look is None:
        return ""
    lines = [_("as of %(moment)s") % {"moment": f"{timezone.localtime(look.as_of):%Y-%m-%d %H:%M}"}]
    lines += [" ".join(row.get(name, "") for name in SEEN) for row in look.rows]
    return "\n".join(lines if look.rows else [*lines, _("none of the records is there")])


def offer(form: ReasonForm, name: str, choices: Iterable[tuple]) -> None:
    """Sets a field's choices: "all of them", and then `choices` without duplicates. Removes the field if `choices` has
    less than two."""
    choices = list(dict.fromkeys(choices))
    form.fields[name].choices = [("", _("all of them")), *choices]
    if len(choices) < 2:
        del form.fields[name]


@dataclass(kw_only=True, eq=False)
class Action:
    """A staff action on an order, an incident or many rows, with a reason. Registered in `all_actions.py`.

    `label`: the button's text. `done`: the success message, unless `became` returns one. `danger`: the action removes
    something. `guarded`: the user must confirm again if the order has changed since the page was shown. `four_eyes`:
    the action's word in FOUR_EYES, or empty if the action never needs a second person.

    `why_not` calls the service's own guard and returns the reason why the action is not allowed now. It makes no
    database query if the loaded facts suffice to rule the action out. `offered` returns True if an incident's page has
    a button for the action in this state. Other obstacles are shown on the action's own page. `service` gets `by`,
    `reason`, `now`, `held`, the form's values, and the arguments that `given` reads from the facts.

    The expected effects come from one of three attributes: `follows` is a sentence that is the same for every order,
    `preview_effects` computes sentences from the order, and `says` computes sentences from the facts. `must_read`: the
    codes of sentences that the user must have read. The sentences depend on the form's values. `preview` returns the
    text that the action would send now in the name of `by`.

    Before the action, `ask_partner` is called with the order, `by` and the form's values, outside any transaction. The
    service gets the result of `ask_partner` as `held`. `bulk`: how the action is applied to many rows of a list.
    """

    key: str
    label: str | Promise
    permission: str
    service: Callable[..., Any]
    why_not: Callable[[Any], OrderError | None] = lambda facts: None
    offered: Callable[[Any], bool] = lambda facts: True
    done: str | Promise = ""
    became: Callable[[Any, Any], str | Promise] | None = None
    form: Any = ReasonForm
    danger: bool = False
    guarded: bool = True
    four_eyes: str = ""
    follows: str | Promise = ""
    preview_effects: Callable[..., Iterable[PreviewSentence]] | None = None
    says: Callable[..., list[str]] | None = None
    must_read: frozenset[str] = frozenset()
    preview: Callable[..., str] = lambda facts, by: ""
    ask_partner: Callable[..., object] | None = None
    given: Callable[[Any], dict[str, Any]] = lambda facts: {"number": facts.order.number}
    bulk: Bulk | None = None

    def __post_init__(self):
        if self.bulk:
            self.bulk.act, self.bulk.key = self, self.bulk.key or self.key

    @property
    def asks(self) -> bool:
        """Returns True if the action shows its effects first. Templates use this, since they would call `says`."""
        return bool(self.says or self.preview_effects or self.follows)

    def will(self, facts: Any, **asked: object) -> list[str]:
        """Returns the action's effects as sentences. `asked`: the form's values except the reason, once the form is
        filled in. Raises OrderError."""
        if self.says:
            return self.says(facts, **asked)
        return (
            sentences(self.preview_effects(facts.order, now=facts.now, **asked))
            if self.preview_effects
            else [str(self.follows)]
        )

    def warnings(self, facts: Any, **asked: object) -> list[str]:
        """Returns the sentences that the user must have read. The result is empty before the form is filled in. Raises
        OrderError."""
        if not (self.must_read and self.preview_effects and asked):
            return []
        return sentences(
            row for row in self.preview_effects(facts.order, now=facts.now, **asked) if row.code in self.must_read
        )

    def act(self, facts: Any, *, by: str, reason: str, **more: object) -> str | Promise:
        """Calls the service on the locked order. Returns the message from `became`, or an empty string if `done` is to
        be shown. `more`: the form's values except the reason, and `held`. Raises OrderError."""
        found = self.service(**self.given(facts), by=by, reason=reason, now=facts.now, **more)
        return self.became(facts, found) if self.became else ""


def sentences(effects: Iterable[PreviewSentence]) -> list[str]:
    return [row.words() for row in effects]
